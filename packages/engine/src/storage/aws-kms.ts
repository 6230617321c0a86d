// AWS KMS as the holder of a slot key: it wraps 32 bytes and gives them back, to whoever its policies allow.
//
// 1. A thin adapter over two calls, Encrypt and Decrypt; the SDK is loaded when it is first called. Credentials come from
//    the SDK's default chain, never from a configuration of ours.
// 2. Each call names the repository and the slot as encryption context: KMS gives nothing back for another pair, and its
//    log (CloudTrail) tells which repository was opened.
// 3. A key is called by the ARN that stands in the slot, in that ARN's region. Where another region is configured, a
//    multi-Region key is called by its replica there.
// 4. KMS that throttles or does not answer is asked again by the SDK, a few times within half a minute.

import type { KMSClient, KMSClientConfig } from '@aws-sdk/client-kms';
import { SpillwayError } from '@spillway/contract';
import type { KeyService } from '../codec/keys.ts';

export interface AwsKmsOptions {
  /** ARN, key id or alias for new slots; without one, slots can only be opened. */
  readonly key?: string;
  /** By default that of the key's ARN, else what the SDK finds. */
  readonly region?: string;
  /** Another address than AWS's own, such as a VPC endpoint. */
  readonly endpoint?: string;
  /** How long a call may take, with all its attempts; half a minute by default. */
  readonly callMsMax?: number;
}

const ATTEMPTS_MAX = 4;
const CALL_MS_MAX = 30_000;
const REQUEST_MS_MAX = 8_000;
const CONNECT_MS_MAX = 4_000;

export function awsKms(options: AwsKmsOptions): KeyService {
  const { key } = options;
  const send = async <Result>(
    keyId: string,
    what: string,
    call: (client: KMSClient, sdk: typeof import('@aws-sdk/client-kms'), abortSignal: AbortSignal) => Promise<Result>,
  ): Promise<Result> => {
    const sdk = await import('@aws-sdk/client-kms');
    const client = new sdk.KMSClient(clientConfiguration(options, keyId));
    try {
      return await call(client, sdk, AbortSignal.timeout(options.callMsMax ?? CALL_MS_MAX));
    } catch (error) {
      throw told(error, what, keyId);
    } finally {
      client.destroy();
    }
  };
  return {
    async encrypt(plain, context) {
      if (key === undefined) throw new SpillwayError('SPW_USAGE', 'no key of AWS KMS was named for a new slot');
      return send(key, 'wrap', async (client, { EncryptCommand }, abortSignal) => {
        const command = new EncryptCommand({ KeyId: key, Plaintext: plain, EncryptionContext: { ...context } });
        const { CiphertextBlob: ciphertext, KeyId: arn } = await client.send(command, { abortSignal });
        if (ciphertext === undefined || arn === undefined) throw new Error('the answer has no ciphertext');
        return { ciphertext, key: arn };
      });
    },
    async decrypt(ciphertext, slotKey, context) {
      const KeyId = inRegion(slotKey, options.region);
      return send(KeyId, 'open', async (client, sdk, abortSignal) => {
        const command = new sdk.DecryptCommand({
          KeyId,
          CiphertextBlob: ciphertext,
          EncryptionContext: { ...context },
        });
        try {
          return (await client.send(command, { abortSignal })).Plaintext;
        } catch (error) {
          // Another key's, changed, or of another repository or slot: it does not open, as a wrong passphrase does not.
          if (error instanceof sdk.InvalidCiphertextException || error instanceof sdk.IncorrectKeyException) {
            return undefined;
          }
          throw error;
        }
      });
    },
  };
}

const REGION_OF_ARN = /^arn:[^:]+:kms:([^:]+):/;

/** The key itself, or its replica in that region where it is a multi-Region key. */
export const inRegion = (key: string, region: string | undefined): string =>
  region !== undefined && /:key\/mrk-/.test(key) ? key.replace(/^(arn:[^:]+:kms:)[^:]+/, `$1${region}`) : key;

function clientConfiguration({ region, endpoint }: AwsKmsOptions, key: string): KMSClientConfig {
  const where = REGION_OF_ARN.exec(inRegion(key, region))?.[1] ?? region;
  return {
    ...(where !== undefined && { region: where }),
    ...(endpoint !== undefined && { endpoint }),
    maxAttempts: ATTEMPTS_MAX,
    requestHandler: { requestTimeout: REQUEST_MS_MAX, throwOnRequestTimeout: true, connectionTimeout: CONNECT_MS_MAX },
  };
}

const denials = new Set([
  'AccessDeniedException',
  'CredentialsProviderError',
  'DisabledException',
  'ExpiredTokenException',
  'IncompleteSignature',
  'InvalidClientTokenId',
  'InvalidSignatureException',
  'KMSInvalidStateException',
  'MissingAuthenticationTokenException',
  'NotFoundException',
  'OptInRequired',
  'TokenProviderError',
  'UnrecognizedClientException',
]);

function told(error: unknown, what: string, key: string): SpillwayError {
  const { name, message } = error instanceof Error ? error : { name: 'Error', message: String(error) };
  const why = `${name}: ${message}`;
  return denials.has(name)
    ? new SpillwayError('SPW_KMS_DENIED', `AWS KMS refused to ${what} a slot key with ${key}`, { why, cause: error })
    : new SpillwayError('SPW_KMS_UNREACHABLE', `AWS KMS did not ${what} a slot key with ${key}`, { why, cause: error });
}
