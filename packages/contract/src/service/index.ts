export * from './commands.ts';
export * from './documents.ts';
export * from './requests.ts';
