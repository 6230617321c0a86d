// The SDK's client for one location. The SDK is loaded here and nowhere else, and only when a bucket is first asked for
// something: it costs every process that loads it some eighty milliseconds and twenty megabytes. So it is with Node's HTTP,
// which brings much that nobody uses here.
//
// The SDK signs, finds credentials and reads answers. Retries, time-outs of whole requests and checksums are ours.

import type { S3Client } from '@aws-sdk/client-s3';
import { s3Defaults } from '@spillway/contract';
import type { S3Location } from '../port.ts';

export type Sdk = typeof import('@aws-sdk/client-s3');

export interface Connected {
  readonly sdk: Sdk;
  readonly client: S3Client;
}

export async function connectS3(location: S3Location): Promise<Connected> {
  const [sdk, { Agent: HttpAgent }, { Agent: HttpsAgent }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('node:http'),
    import('node:https'),
  ]);
  const { endpoint, credentials } = location;
  const region = location.region ?? (endpoint === undefined ? undefined : 'us-east-1');
  const agent = {
    keepAlive: true,
    maxSockets: location.parallelRequests ?? s3Defaults.parallelRequests,
    ...(location.rootCertificate !== undefined && { ca: location.rootCertificate }),
  };
  const client = new sdk.S3Client({
    ...(region !== undefined && { region }),
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials !== undefined && { credentials }),
    forcePathStyle: location.pathStyle ?? endpoint !== undefined,
    maxAttempts: 1,
    // A body is known before it is sent, and its hash is part of the signature.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // A large body waits for no word of the server: the hash tells both sides what was meant.
    expectContinueHeader: false,
    requestHandler: {
      httpAgent: new HttpAgent(agent),
      httpsAgent: new HttpsAgent(agent),
      connectionTimeout: location.connectTimeoutMs ?? s3Defaults.connectTimeoutMs,
      socketTimeout: location.requestTimeoutMs ?? s3Defaults.requestTimeoutMs,
    },
  });
  return { sdk, client };
}

/** AWS keeps a SHA-256 beside the object; other servers need not know the header. */
export const isAws = ({ endpoint }: S3Location): boolean =>
  endpoint === undefined || /\.amazonaws\.com(?:\.cn)?$/.test(new URL(endpoint).hostname);
