/**
 * SRP-6a (RFC 5054, its group of 2048 bits, SHA-512): the password is proven, and never leaves the browser.
 * Integers are big-endian and padded to the group's width; the password enters as 64 bytes of PBKDF2-HMAC-SHA-512.
 */

import { ServerDoubtful } from './doubts';

export interface Challenge {
  identity: string;
  /** Base64url, as all of these; empty where the server asks for the password itself (the directory's, and accounts from before SRP). */
  salt: string;
  iterations: number;
  server_public: string;
  challenge: string;
  /** What a new password is to be stretched by. */
  new_iterations: number;
}

export interface Proof {
  challenge: string;
  client_public: string;
  client_proof: string;
}

export interface Verifier {
  salt: string;
  iterations: number;
  verifier: string;
}

const WIDTH = 256;
const SALT_BYTES = 64;
const SECRET_BYTES = 32;
/** What a server may ask for at least: it could choose few, to try out many passwords on what it gets. */
const FEWEST_ITERATIONS = 100_000;
const MOST_ITERATIONS = 10_000_000;
const G = 2n;
const N = BigInt(
  '0xAC6BDB41324A9A9BF166DE5E1389582FAF72B6651987EE07FC3192943DB56050A37329CBB4A099ED8193E0757767A13DD52312AB4B03310D' +
    'CD7F48A9DA04FD50E8083969EDB767B0CF6095179A163AB3661A05FBD5FAAAE82918A9962F0B93B855F97993EC975EEAA80D740ADBF4FF74' +
    '7359D041D5C33EA71D281E446B14773BCA97B43A23FB801676BD207A436C6481F1D2B9078717461A5B9D32E688F87748544523B524B0D57D' +
    '5EA77A2775D2ECFA032CFBDBF52FB3786160279004E57AE6AF874E7303CE53299CCC041C7BC308D82A5698F3A8D0C38271AE35F8E9DBFBB6' +
    '94B5C803D89F7AE435DE236D525F54759B65E372FCD68EF20FA7111F9E4AFF73',
);

/** Powers in the group; four bits of the exponent at a time. */
export function power(base: bigint, exponent: bigint, modulus = N): bigint {
  const table = [1n, base % modulus];
  for (let at = 2; at < 16; at += 1) table.push(((table[at - 1] as bigint) * (table[1] as bigint)) % modulus);
  let result = 1n;
  for (const digit of exponent.toString(16)) {
    for (let times = 0; times < 4; times += 1) result = (result * result) % modulus;
    result = (result * (table[Number.parseInt(digit, 16)] as bigint)) % modulus;
  }
  return result;
}

const number = (bytes: Uint8Array): bigint => BigInt(`0x${Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('') || '0'}`);

export function padded(value: bigint, width = WIDTH): Uint8Array<ArrayBuffer> {
  const text = value.toString(16).padStart(2 * width, '0');
  return Uint8Array.from({ length: width }, (_, at) => Number.parseInt(text.slice(2 * at, 2 * at + 2), 16));
}

export const toText = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

export const fromText = (text: string): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (char) => char.charCodeAt(0));

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

async function hash(...parts: readonly Uint8Array[]): Promise<Uint8Array<ArrayBuffer>> {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest('SHA-512', joined));
}

/** What takes longest of a proof, and asks nothing of the server beyond its challenge's salt: see `prove`. */
export async function stretch(asked: Challenge, password: string): Promise<bigint> {
  const salt = fromText(asked.salt);
  if (asked.iterations < FEWEST_ITERATIONS || asked.iterations > MOST_ITERATIONS || salt.length < SALT_BYTES) {
    throw new ServerDoubtful();
  }
  return privateKey(asked.identity, password, salt, asked.iterations);
}

/** x = H(s | H(I ":" P)), where P is the stretched password. */
async function privateKey(identity: string, password: string, salt: Uint8Array<ArrayBuffer>, iterations: number): Promise<bigint> {
  const typed = await crypto.subtle.importKey('raw', utf8(password.normalize('NFC')), 'PBKDF2', false, ['deriveBits']);
  const stretched = await crypto.subtle.deriveBits({ name: 'PBKDF2', hash: 'SHA-512', salt, iterations }, typed, 512);
  return number(await hash(salt, await hash(utf8(identity), utf8(':'), new Uint8Array(stretched))));
}

/**
 * Answers a challenge. `expected` is what the server has to say then, or it does not know the password either.
 * The password may have been stretched before.
 */
export async function prove(
  asked: Challenge,
  password: string,
  stretching = stretch(asked, password),
): Promise<{ proof: Proof; expected: string }> {
  const [salt, serverPublic] = [fromText(asked.salt), number(fromText(asked.server_public))];
  const secret = number(crypto.getRandomValues(new Uint8Array(SECRET_BYTES)));
  const clientPublic = power(G, secret);
  const [A, B] = [padded(clientPublic), padded(serverPublic)];
  const [x, ...hashes] = await Promise.all([stretching, hash(A, B), hash(padded(N), padded(G))]);
  const [scrambling, multiplier] = hashes.map(number) as [bigint, bigint];
  if (serverPublic % N === 0n || scrambling === 0n) throw new ServerDoubtful();
  const base = (serverPublic + multiplier * (N - power(G, x))) % N;
  const key = await hash(padded(power(base, secret + scrambling * x)));
  const [ofPrime, ofGenerator] = [await hash(padded(N)), await hash(padded(G))];
  const group = ofPrime.map((byte, at) => byte ^ (ofGenerator[at] as number));
  const proof = await hash(group, await hash(utf8(asked.identity)), salt, A, B, key);
  return {
    proof: { challenge: asked.challenge, client_public: toText(A), client_proof: toText(proof) },
    expected: toText(await hash(A, proof, key)),
  };
}

/** What the server keeps of a new password. */
export async function verifierOf(identity: string, password: string, iterations: number): Promise<Verifier> {
  if (iterations < FEWEST_ITERATIONS || iterations > MOST_ITERATIONS) throw new ServerDoubtful();
  const salt = crypto.getRandomValues(new Uint8Array(SALT_BYTES));
  const x = await privateKey(identity, password, salt, iterations);
  return { salt: toText(salt), iterations, verifier: toText(padded(power(G, x))) };
}
