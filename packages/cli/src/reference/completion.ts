// Completion scripts for bash, zsh and fish, made from the command tree. Pure.
//
// 1. Words, options and choices stand in the script, so that a Tab costs no process.
// 2. Only what the configuration and the repository know, names of clusters and backups, is asked from
//    `spillway __complete`, which says nothing where it cannot tell.
// 3. bash and zsh share their tables: functions that take `<command words>` or `<command words>|<option>` and set
//    `_spillway_kind` (what comes next) or `_spillway_reply` (the words).

import { type CommandDescription, nodesOf, type OptionDescription } from '../program/describe.ts';

export const shells = ['bash', 'zsh', 'fish'] as const;
export type Shell = (typeof shells)[number];

/** What a value is: given words, files, folders, what `__complete` knows, or anything. */
type Kind = 'words' | 'file' | 'folder' | 'clusters' | 'backups' | 'dumps' | 'any';

export function completionScript(shell: Shell, tree: CommandDescription): string {
  const script = { bash: bashScript, zsh: zshScript, fish: fishScript }[shell];
  return script(tree);
}

function bashScript(tree: CommandDescription): string {
  return `# Completion of spillway for bash. Use: source <(spillway completion bash)
${tables(tree)}
_spillway() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" way="" want="" word i position=0 _spillway_kind
  local -a given=() _spillway_reply=()
  COMPREPLY=()
  [ "$cur" = "=" ] && cur=""
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [ -n "$want" ]; then
      [ "$word" = "=" ] && continue
      case "$want" in --config | -c | --cluster) given+=("$want" "$word") ;; esac
      want=""
      continue
    fi
    case "$word" in
      -*) _spillway_value "$way" "$word"; [ -n "$_spillway_kind" ] && want="$word" ;;
      *) if _spillway_group "$way" "$word"; then way="\${way:+$way }$word"; else position=$((position + 1)); fi ;;
    esac
  done
  if [ -n "$want" ]; then
    _spillway_value "$way" "$want"
  elif [[ $cur == -* ]]; then
    _spillway_options "$way"
    _spillway_kind=words
  else
    _spillway_argument "$way" "$position"
  fi
  case "$_spillway_kind" in
    words) ;;
    clusters | backups | dumps)
      mapfile -t _spillway_reply < <("\${COMP_WORDS[0]}" "\${given[@]}" __complete "$_spillway_kind" 2> /dev/null) ;;
    file) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    folder) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -d -- "$cur"); return ;;
    *) return ;;
  esac
  for word in "\${_spillway_reply[@]}"; do [[ $word == "$cur"* ]] && COMPREPLY+=("$word"); done
}
complete -F _spillway spillway`;
}

function zshScript(tree: CommandDescription): string {
  return `#compdef spillway
# Completion of spillway for zsh. Put it as _spillway into a folder of $fpath, or: source <(spillway completion zsh)
${tables(tree)}
_spillway() {
  local cur="\${words[CURRENT]}" way="" want="" word _spillway_kind=""
  local -a given _spillway_reply
  integer i position=0
  for ((i = 2; i < CURRENT; i++)); do
    word="\${words[i]}"
    if [ -n "$want" ]; then
      case "$want" in --config | -c | --cluster) given+=("$want" "$word") ;; esac
      want=""
      continue
    fi
    case "$word" in
      -*) _spillway_value "$way" "$word"; [ -n "$_spillway_kind" ] && want="$word" ;;
      *) if _spillway_group "$way" "$word"; then way="\${way:+$way }$word"; else position=$((position + 1)); fi ;;
    esac
  done
  if [ -n "$want" ]; then
    _spillway_value "$way" "$want"
  elif [[ $cur == -* ]]; then
    _spillway_options "$way"
    _spillway_kind=words
  else
    _spillway_argument "$way" "$position"
  fi
  case "$_spillway_kind" in
    words) compadd -a _spillway_reply ;;
    clusters | backups | dumps)
      _spillway_reply=(\${(f)"$("\${words[1]}" "\${given[@]}" __complete "$_spillway_kind" 2> /dev/null)"})
      compadd -a _spillway_reply ;;
    file) _files ;;
    folder) _files -/ ;;
  esac
}
if [ "\${funcstack[1]}" = _spillway ]; then _spillway "$@"; else compdef _spillway spillway; fi`;
}

/** The functions that bash and zsh both understand. */
function tables(tree: CommandDescription): string {
  const nodes = nodesOf(tree);
  const key = ({ path }: CommandDescription): string => path.join(' ');
  const groups = nodes.slice(1).map((node) => `'${node.path.slice(0, -1).join(' ')}|${node.path.at(-1)}'`);
  const values = nodes.flatMap((node) =>
    node.options
      .filter(({ value }) => value !== undefined)
      .map((option) => {
        // The program's own options hold after every command.
        const way = node.path.length === 0 ? '*' : `'${key(node)}'`;
        const patterns = namesOf(option).map((name) => `${way}'|${name}'`);
        return `    ${patterns.join(' | ')}) ${say(kindOf(option.long, option.value ?? '', option.choices), option.choices)} ;;`;
      }),
  );
  const common = tree.options.flatMap(namesOf);
  const options = nodes.map(
    (node) =>
      `    '${key(node)}') _spillway_reply=(${[...node.options.flatMap(namesOf), ...(node.path.length === 0 ? [] : common)].join(' ')}) ;;`,
  );
  const args = nodes.flatMap((node) =>
    node.commands.length > 0
      ? [
          `    '${key(node)}|0') ${say(
            'words',
            node.commands.map(({ path }) => path.at(-1) ?? ''),
          )} ;;`,
        ]
      : node.arguments.map(
          ({ name, choices, variadic }, at) =>
            `    '${key(node)}|'${variadic ? '*' : at}) ${say(kindOf('', name, choices), choices)} ;;`,
        ),
  );
  return `_spillway_group() { case "$1|$2" in ${groups.join(' | ')}) return 0 ;; *) return 1 ;; esac; }
_spillway_value() {
  _spillway_kind=""
  case "$1|$2" in
${values.join('\n')}
  esac
}
_spillway_options() {
  case "$1" in
${options.join('\n')}
  esac
}
_spillway_argument() {
  _spillway_kind=""
  case "$1|$2" in
${args.join('\n')}
  esac
}`;
}

const say = (kind: Kind, words: readonly string[]): string =>
  kind === 'words' ? `_spillway_kind=words; _spillway_reply=(${words.join(' ')})` : `_spillway_kind=${kind}`;

function fishScript(tree: CommandDescription): string {
  const nodes = nodesOf(tree);
  const takers = nodes.flatMap(({ options }) => options.filter(({ value }) => value !== undefined).flatMap(namesOf));
  const ways = nodes.slice(1).map(({ path }) => quoted(path.join(' ')));
  const lines = nodes.flatMap((node) => {
    const condition = node.path.length === 0 ? '' : ` -n ${quoted(`__spillway_at ${quoted(node.path.join(' '))}`)}`;
    const here = ` -n ${quoted(`__spillway_at ${quoted(node.path.join(' '))}`)}`;
    return [
      ...node.commands.map(
        ({ path, summary }) => `complete -c spillway -f${here} -a ${path.at(-1)} -d ${quoted(summary)}`,
      ),
      ...node.arguments.map(
        ({ name, choices }) => `complete -c spillway${here}${offer(kindOf('', name, choices), choices)}`,
      ),
      ...node.options.map((option) => {
        const short = option.short === undefined ? '' : ` -s ${option.short.slice(1)}`;
        const takes =
          option.value === undefined
            ? ' -f'
            : ` -r${offer(kindOf(option.long, option.value, option.choices), option.choices)}`;
        return `complete -c spillway${condition} -l ${option.long.slice(2)}${short}${takes} -d ${quoted(option.description)}`;
      }),
    ];
  });
  return `# Completion of spillway for fish. Use: spillway completion fish > ~/.config/fish/completions/spillway.fish
function __spillway_way
  set -l way
  set -l skip 0
  for word in (commandline -opc)[2..-1]
    if test $skip = 1
      set skip 0
    else if contains -- $word ${[...new Set(takers)].join(' ')}
      set skip 1
    else if not string match -q -- '-*' $word
      set -l next (string trim -- "$way $word")
      if contains -- $next ${ways.join(' ')}
        set way $next
      end
    end
  end
  echo $way
end
function __spillway_at
  test (__spillway_way)"" = "$argv[1]"
end
function __spillway_ask
  set -l words (commandline -opc)
  set -l given
  set -l want
  for word in $words[2..-1]
    if test -n "$want"
      set -a given $want $word
      set want
    else if contains -- $word --config -c --cluster
      set want $word
    end
  end
  $words[1] $given __complete $argv[1] 2>/dev/null
end
complete -c spillway -f
${lines.join('\n')}`;
}

function offer(kind: Kind, words: readonly string[]): string {
  if (kind === 'words') return ` -f -a ${quoted(words.join(' '))}`;
  if (kind === 'clusters' || kind === 'backups' || kind === 'dumps') return ` -f -a '(__spillway_ask ${kind})'`;
  if (kind === 'folder') return " -f -a '(__fish_complete_directories)'";
  return kind === 'file' ? ' -F' : ' -f';
}

function kindOf(option: string, placeholder: string, choices: readonly string[]): Kind {
  if (choices.length > 0) return 'words';
  if (option === '--cluster') return 'clusters';
  if (option === '--backup' || /^backup(?:-ids?)?$/.test(placeholder)) return 'backups';
  if (/^dump(?:-ids?)?$/.test(placeholder)) return 'dumps';
  if (/folder|directory/.test(placeholder)) return 'folder';
  return /file|destination|path/.test(placeholder) ? 'file' : 'any';
}

const namesOf = ({ long, short }: OptionDescription): readonly string[] =>
  short === undefined ? [long] : [long, short];

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
