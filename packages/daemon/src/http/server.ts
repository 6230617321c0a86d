// The HTTP server without its routes: who calls, how often, what is checked, and how failures are told.
//
// 1. The caller is known before anything is counted, so that limits are by token, and by address for strangers. Strangers
//    have a tenth of the limit: a token is not to be guessed.
// 2. Every route names the role it wants in its config, or says that it is open: one that says neither is a fault, and the
//    service does not start. The role is checked before a body is read.
// 3. A caller with a session who changes something shows the session's token against forged requests in a header, and comes
//    from this very origin where the browser says where he comes from.
// 4. Bodies, queries and answers are checked by the schemas that the OpenAPI document is made of. Bodies are JSON alone.
// 5. Whatever fails is answered as application/problem+json (problem.ts).

import cookie from '@fastify/cookie';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import swagger from '@fastify/swagger';
import { mayActAs, type ProblemDocument, type Role, SpillwayError } from '@spillway/contract';
import fastify, {
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  LogController,
} from 'fastify';
import {
  createJsonSchemaTransform,
  jsonSchemaTransformObject,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod';
import type { Clock } from '../clock.ts';
import { type Caller, csrfOf, type TokenStore } from '../state/tokens.ts';
import { tidySchemas } from './openapi.ts';
import { Problem, problemOf } from './problem.ts';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls. */
    who: Caller | null;
  }
  interface FastifyContextConfig {
    /** Who may call this; `open` for everybody. */
    readonly wants?: Role | 'open';
  }
  interface FastifyInstance {
    /** Every route of the API, without what answers HEAD for it, and without the console's files. */
    routeList: { readonly method: string; readonly url: string; readonly wants: Role | 'open' }[];
  }
}

export const SESSION_COOKIE = 'spillway_session';
export const CSRF_HEADER = 'x-spillway-csrf';

const BODY_BYTES_MAX = 256 * 1024;
const REQUEST_MS_MAX = 30_000;
/** A connection on which nothing moves for so long is closed: also one whose peer reads nothing. */
const SILENT_MS_MAX = 60_000;
const CONNECTIONS_BESIDE_STREAMS = 512;
const SAFE = new Set(['GET', 'HEAD', 'OPTIONS']);

export interface HttpOptions {
  readonly tokens: TokenStore;
  readonly clock: Clock;
  readonly version: string;
  readonly requestsPerMinute: number;
  readonly eventClients: number;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Something in front of the service ends TLS, and says who came to it. */
  readonly isBehindProxy: boolean;
  readonly logStream: { readonly write: (line: string) => void };
  readonly logLevel: 'debug' | 'info' | 'warn';
}

export type Api = Awaited<ReturnType<typeof makeHttp>>;

export async function makeHttp(options: HttpOptions) {
  const { tls } = options;
  const app = fastify({
    logger: {
      level: options.logLevel,
      stream: options.logStream,
      base: null,
      redact: ['req.headers.authorization', 'req.headers.cookie'],
    },
    // A line a request would drown what is worth reading; what fails is logged by the handler of errors.
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: BODY_BYTES_MAX,
    requestTimeout: REQUEST_MS_MAX,
    connectionTimeout: SILENT_MS_MAX,
    keepAliveTimeout: 72_000,
    return503OnClosing: true,
    trustProxy: options.isBehindProxy ? 1 : false,
    forceCloseConnections: true,
    // Without TLS the factory of node:http is taken; the type of the two servers differs in nothing that is used here.
    ...(tls === undefined ? {} : { https: { ...tls, minVersion: 'TLSv1.2' as const } }),
  } as FastifyServerOptions).withTypeProvider<ZodTypeProvider>();
  app.server.maxConnections = options.eventClients + CONNECTIONS_BESIDE_STREAMS;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  // What a form of another site can send is no body here.
  app.removeContentTypeParser('text/plain');
  await app.register(cookie);
  knowCallers(app, options);
  tellProblems(app);
  wantRoles(app);
  await app.register(rateLimit, {
    max: (request) => (request.who === null ? Math.ceil(options.requestsPerMinute / 10) : options.requestsPerMinute),
    timeWindow: '1 minute',
    // What is remembered of strangers is bounded.
    cache: 10_000,
    keyGenerator: ({ who, ip }) => (who === null ? ip : `token ${who.token}`),
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
        objectSrc: ["'none'"],
      },
    },
    strictTransportSecurity: tls === undefined && !options.isBehindProxy ? false : { maxAge: 31_536_000 },
  });
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Spillway',
        description: 'Backups, WAL, restores and proof of PostgreSQL clusters. Failures are application/problem+json.',
        version: options.version,
        license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
      },
      components: {
        securitySchemes: {
          token: { type: 'http', scheme: 'bearer' },
          session: { type: 'apiKey', in: 'cookie', name: SESSION_COOKIE },
        },
      },
    },
    transform: createJsonSchemaTransform({ skipList: [] }),
    transformObject: (of) => tidySchemas(jsonSchemaTransformObject(of)),
  });
  return app;
}

function knowCallers(app: FastifyInstance, { tokens, clock }: HttpOptions): void {
  app.decorateRequest('who', null);
  app.addHook('onRequest', async (request) => {
    request.who = callerOf(request, tokens, clock.now()) ?? null;
  });
  // After the limits of the rate, before the body.
  app.addHook('preParsing', async (request) => {
    const { wants: role } = request.routeOptions.config;
    if (role === undefined || role === 'open') return;
    const { who: caller } = request;
    if (caller === null) {
      throw new Problem('unauthorised', 'send a token that the service knows: Authorization: Bearer …');
    }
    if (!mayActAs(caller.role, role)) {
      throw new Problem('forbidden', `this wants the role ${role}; ${caller.name} has ${caller.role}`);
    }
    if (caller.by === 'session' && !SAFE.has(request.method)) refuseForged(request);
  });
}

function callerOf(request: FastifyRequest, tokens: TokenStore, now: number): Caller | undefined {
  const { authorization } = request.headers;
  // Where a token is sent it decides, also by being wrong.
  if (authorization !== undefined) {
    const [, token] = /^Bearer +(\S{1,200})$/i.exec(authorization) ?? [];
    return token === undefined ? undefined : tokens.callerByToken(token, now);
  }
  const secret = request.cookies[SESSION_COOKIE];
  return secret === undefined || secret.length > 200 ? undefined : tokens.callerBySession(secret, now);
}

function refuseForged(request: FastifyRequest): void {
  refuseForeignOrigin(request);
  const given = request.headers[CSRF_HEADER];
  if (given !== csrfOf(request.cookies[SESSION_COOKIE] ?? '')) {
    throw new Problem('forbidden', `send the session's csrf_token as ${CSRF_HEADER}`);
  }
}

/** A browser says where a request comes from; where it does, that must be here. */
export function refuseForeignOrigin(request: FastifyRequest): void {
  const { origin } = request.headers;
  const site = request.headers['sec-fetch-site'];
  const isForeign =
    (origin !== undefined && (!URL.canParse(origin) || new URL(origin).host !== request.host)) ||
    (site !== undefined && site !== 'same-origin' && site !== 'none');
  if (isForeign) throw new Problem('forbidden', 'the request comes from a page of another origin');
}

/** No route without a word on who may call it. */
function wantRoles(app: FastifyInstance): void {
  app.decorate('routeList', []);
  app.addHook('onRoute', ({ method, url, config, schema }) => {
    const wants = config?.wants;
    if (wants === undefined) throw new Error(`${String(method)} ${url} does not say who may call it`);
    // What is hidden from the document is no part of the API: the files of the console.
    if (schema?.hide === true) return;
    for (const one of [method].flat()) if (one !== 'HEAD') app.routeList.push({ method: one, url, wants });
  });
}

function tellProblems(app: FastifyInstance): void {
  app.setNotFoundHandler((request, reply) => {
    void tell(reply, new Problem('not_found', `there is no ${request.method} ${request.url.split('?')[0]}`).document);
  });
  app.setErrorHandler((error, request, reply) => {
    if (error instanceof Problem) return tell(reply, error.document);
    if (error instanceof SpillwayError) {
      request.log.warn(
        { route: request.routeOptions.url, code: error.code, why: error.message },
        'it could not be done',
      );
      return tell(reply, problemOf(error));
    }
    const { statusCode, message, validation } = error as Error & { statusCode?: number; validation?: unknown };
    // What fastify itself refuses: a body too large, of another kind, or not as the schema wants it.
    if (validation !== undefined || (statusCode !== undefined && statusCode >= 400 && statusCode < 500)) {
      const code = statusCode === 413 ? 'too_large' : statusCode === 415 ? 'unsupported' : 'invalid_request';
      return tell(reply, new Problem(validation === undefined ? code : 'invalid_request', message).document);
    }
    if (statusCode === 503) return tell(reply, new Problem('stopping', 'try again in a moment').document);
    request.log.error({ err: error, route: request.routeOptions.url }, 'a request failed');
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
