// Who is signed in, for whatever shows or hides by role. The service decides anyway; this only spares people buttons that fail.

import { mayActAs, type Role, type SessionDocument } from '@spillway/contract';
import { createContext, useContext } from 'react';

export const SessionContext = createContext<SessionDocument | undefined>(undefined);

export function useSession(): SessionDocument {
  const session = useContext(SessionContext);
  if (session === undefined) throw new Error('nobody is signed in');
  return session;
}

export const useMay = (role: Role): boolean => mayActAs(useSession().role, role);
