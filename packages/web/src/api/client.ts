// The service's API as the console calls it: with the session's cookie, which the browser sends, and its token against forged
// requests.

import { ApiProblem, answerOf, createApi, type Job, type JobRequest } from '@spillway/client';
import type { SessionDocument } from '@spillway/contract';

export const isSignedOut = (error: unknown): boolean => error instanceof ApiProblem && error.problem.status === 401;

let csrf = '';

/** The session's token, which whatever changes something wants. */
export const rememberCsrf = ({ csrf_token: token }: Pick<SessionDocument, 'csrf_token'>): void => {
  csrf = token;
};

export const api = createApi({ url: '', headers: () => (csrf === '' ? {} : { 'x-spillway-csrf': csrf }) });

export const startJob = (body: JobRequest): Promise<Job> => answerOf(api.POST('/api/v1/jobs', { body }));
