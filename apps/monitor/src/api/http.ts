// The HTTP server without its routes: who calls, how often, what is checked, and how failures are told.
//
// 1. The caller is known before anything is counted, so that limits are by token, and by address for strangers.
// 2. A route names the role it wants in its config; without one it is open. That is checked before a body is read.
// 3. Bodies, queries and answers are checked by the zod schemas that the OpenAPI document is made of.
// 4. Whatever fails is answered as application/problem+json (problem.ts).

import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import fastify, { type FastifyInstance, type FastifyReply, LogController } from 'fastify';
import {
  createJsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import { Problem, type ProblemDocument } from '../problem.ts';
import type { Settings } from '../settings.ts';
import { type Caller, type Callers, callerOf, mayActAs, type Role } from './callers.ts';

declare module 'fastify' {
  interface FastifyRequest {
    caller: Caller | null;
  }
  interface FastifyContextConfig {
    /** Who may call this; everybody where there is none. */
    readonly role?: Role;
  }
}

const BODY_BYTES_MAX = 2 * 1024 * 1024;
const REQUEST_MS_MAX = 30_000;

export interface HttpOptions {
  readonly callers: Callers;
  readonly version: string;
  readonly requestsPerMinute: number;
  readonly logLevel: Settings['logLevel'];
}

export type Api = Awaited<ReturnType<typeof makeHttp>>;

export async function makeHttp(options: HttpOptions) {
  const app = fastify({
    logger: { level: options.logLevel, redact: ['req.headers.authorization'] },
    // A line a request would be forty lines a second of ingest; what fails is logged by the handler of errors.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    return503OnClosing: true,
    forceCloseConnections: 'idle',
  }).withTypeProvider<ZodTypeProvider>();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  knowCallers(app, options.callers);
  tellProblems(app);
  await app.register(rateLimit, {
    max: options.requestsPerMinute,
    timeWindow: '1 minute',
    keyGenerator: ({ caller, ip }) => (caller === null ? ip : `token ${caller.name}`),
    errorResponseBuilder: (_request, { after }) => new Problem('too_many_requests', `try again in ${after}`),
  });
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    // Whether there is TLS in front is not known here.
    strictTransportSecurity: false,
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Water monitor',
        description: 'Readings, alerts and state of a bulk-water network. Failures are application/problem+json.',
        version: options.version,
      },
      components: { securitySchemes: { token: { type: 'http', scheme: 'bearer' } } },
    },
    transform: createJsonSchemaTransform({ skipList: [] }),
    transformObject: jsonSchemaTransformObject,
  });
  return app;
}

function knowCallers(app: FastifyInstance, callers: Callers): void {
  app.decorateRequest('caller', null);
  app.addHook('onRequest', async (request) => {
    request.caller = callerOf(callers, request.headers.authorization) ?? null;
  });
  // After the limits of the rate, before the body.
  app.addHook('preParsing', async (request) => {
    const { role } = request.routeOptions.config;
    if (role === undefined) return;
    if (request.caller === null) {
      throw new Problem('unauthorised', 'send a token that the service knows: Authorization: Bearer …');
    }
    if (!mayActAs(request.caller, role)) {
      throw new Problem(
        'forbidden',
        `this wants the role ${role}; the token ${request.caller.name} has ${request.caller.role}`,
      );
    }
  });
}

function tellProblems(app: FastifyInstance): void {
  app.setNotFoundHandler((request, reply) => {
    void tell(reply, new Problem('not_found', `there is no ${request.method} ${request.url.split('?')[0]}`).document);
  });
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof Problem) {
      if (error.status >= 500) request.log.warn({ url: request.url, code: error.code, why: error.message }, 'refused');
      if (error.retryAfter !== undefined && !reply.hasHeader('retry-after')) {
        void reply.header('retry-after', String(error.retryAfter));
      }
      return tell(reply, error.document);
    }
    const { statusCode, message, validation } = error as Error & { statusCode?: number; validation?: unknown };
    // What fastify itself refuses: a body too large, of another kind, or not as the schema wants it.
    if (validation !== undefined || (statusCode !== undefined && statusCode >= 400 && statusCode < 500)) {
      const status = validation === undefined ? (statusCode ?? 400) : 400;
      return tell(reply, { ...new Problem('invalid_request', message).document, status });
    }
    request.log.error({ err: error, url: request.url }, 'a request failed');
    return tell(reply, new Problem('internal', 'the service failed; its log has more').document);
  });
}

function tell(reply: FastifyReply, document: ProblemDocument): FastifyReply {
  // Past the schema of the route's good answer.
  return reply
    .code(document.status)
    .header('content-type', 'application/problem+json')
    .serializer(JSON.stringify)
    .send(document);
}
