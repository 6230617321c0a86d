// The service's log, as its parts see it: fastify's own logger (pino) is one. One JSON object a line, so that nothing that
// somebody sends can begin a line of its own.

export type LogFields = Readonly<Record<string, unknown>>;

export interface Logger {
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}
