// The client of the service's API, for the console and for the command line from afar: in browsers and in Node alike.

export type { Job, JobRequest, Problem, RestorePlanRequest } from './api.ts';
export { type Api, type ApiOptions, ApiProblem, answerOf, createApi, Unreachable } from './client.ts';
export { followJob, type Followed } from './follow.ts';
