// A question that is answered by typing a name. The browser's own dialog keeps the focus inside, and Escape leaves it.

import { type ReactNode, useId, useRef, useState } from 'react';

export function Confirm({
  open,
  title,
  word,
  act,
  onConfirm,
  children,
}: {
  readonly open: string;
  readonly title: string;
  /** What must be typed. */
  readonly word: string;
  readonly act: string;
  readonly onConfirm: () => void;
  readonly children: ReactNode;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const [typed, type] = useState('');
  const id = useId();
  return (
    <>
      <button type="button" className="button primary" onClick={() => dialog.current?.showModal()}>
        {open}
      </button>
      <dialog ref={dialog} aria-labelledby={`${id}-title`} onClose={() => type('')}>
        <form
          method="dialog"
          onSubmit={() => {
            if (typed === word) onConfirm();
          }}
        >
          <h2 id={`${id}-title`}>{title}</h2>
          {children}
          <ConfirmField word={word} typed={typed} onType={type} />
          <div className="actions">
            <button type="submit" className="button danger" disabled={typed !== word}>
              {act}
            </button>
            <button type="button" className="button" onClick={() => dialog.current?.close()}>
              Leave it
            </button>
          </div>
        </form>
      </dialog>
    </>
  );
}

export function ConfirmField({
  word,
  typed,
  onType,
}: {
  readonly word: string;
  readonly typed: string;
  readonly onType: (text: string) => void;
}) {
  return (
    <label className="field">
      <span>
        Type <strong>{word}</strong>, the name of the cluster
      </span>
      <input
        value={typed}
        onChange={({ target }) => onType(target.value)}
        autoComplete="off"
        autoCapitalize="off"
        spellCheck={false}
      />
    </label>
  );
}
