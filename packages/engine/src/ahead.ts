// What of the engine is wanted before the rest of it is loaded: to begin opening a repository.

export { openAhead } from './repository/repository.ts';
