/** Asks the browser for passkeys: WebAuthn's JSON to buffers and back, which not every browser does by itself. */

import { fromText, toText } from '../identity/srp';
import type { PasskeyAsked, PasskeyGiven } from './api';

type Named = { id: string } & Record<string, unknown>;

/** The person thought better of it, or no passkey was there; browsers do not tell which. */
export class PasskeyCancelled extends Error {}

export const knowsPasskeys = (): boolean => 'PublicKeyCredential' in window && isSecureContext;

/** Says whether the browser offers passkeys where a user name is typed. */
export async function offersPasskeys(): Promise<boolean> {
  return knowsPasskeys() && (await PublicKeyCredential.isConditionalMediationAvailable?.()) === true;
}

const named = (list: unknown): PublicKeyCredentialDescriptor[] =>
  ((list ?? []) as Named[]).map((one) => ({ ...one, id: fromText(one.id) }) as unknown as PublicKeyCredentialDescriptor);

async function asking(ask: () => Promise<Credential | null>): Promise<PublicKeyCredential> {
  try {
    const found = await ask();
    if (found) return found as PublicKeyCredential;
  } catch (cause) {
    if (!(cause instanceof DOMException)) throw cause;
    if (cause.name === 'InvalidStateError') throw cause; // this authenticator has one for the account already
    throw new PasskeyCancelled(cause.message);
  }
  throw new PasskeyCancelled();
}

const bytes = (buffer: ArrayBuffer | null): string => toText(new Uint8Array(buffer ?? new ArrayBuffer(0)));

/** Makes a passkey. */
export async function makePasskey({ challenge, options }: PasskeyAsked): Promise<PasskeyGiven> {
  const user = options.user as Named;
  const publicKey = {
    ...options,
    challenge: fromText(options.challenge as string),
    user: { ...user, id: fromText(user.id) },
    excludeCredentials: named(options.excludeCredentials),
  } as unknown as PublicKeyCredentialCreationOptions;
  const made = await asking(() => navigator.credentials.create({ publicKey }));
  const response = made.response as AuthenticatorAttestationResponse;
  const credential = {
    id: made.id,
    rawId: bytes(made.rawId),
    type: made.type,
    response: {
      clientDataJSON: bytes(response.clientDataJSON),
      attestationObject: bytes(response.attestationObject),
      transports: response.getTransports?.() ?? [],
    },
  };
  return { challenge, credential };
}

/** Lets a passkey sign: one that is chosen in a window of the browser or, `waiting`, beside the user name. */
export async function usePasskey(asked: PasskeyAsked, signal?: AbortSignal, waiting = false): Promise<PasskeyGiven> {
  const { challenge, options } = asked;
  const publicKey = {
    ...options,
    challenge: fromText(options.challenge as string),
    allowCredentials: named(options.allowCredentials),
  } as unknown as PublicKeyCredentialRequestOptions;
  const wanted: CredentialRequestOptions = { publicKey };
  if (signal) wanted.signal = signal;
  if (waiting) wanted.mediation = 'conditional';
  const found = await asking(() => navigator.credentials.get(wanted));
  const response = found.response as AuthenticatorAssertionResponse;
  const credential = {
    id: found.id,
    rawId: bytes(found.rawId),
    type: found.type,
    response: {
      clientDataJSON: bytes(response.clientDataJSON),
      authenticatorData: bytes(response.authenticatorData),
      signature: bytes(response.signature),
      userHandle: response.userHandle ? bytes(response.userHandle) : null,
    },
  };
  return { challenge, credential };
}
