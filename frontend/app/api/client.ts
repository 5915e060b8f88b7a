/** One way to the server: JSON over fetch with the CSRF token, and problem documents as errors. */

import { tell } from '../state/use';

export class ApiProblem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    /** What the words of the code name, such as an address. */
    readonly facts: Readonly<Record<string, unknown>> = {},
  ) {
    super(message);
  }
}

/** No answer, or none of Radrelay's own: it may come when the same is asked again. */
export function mayPass(cause: unknown): boolean {
  return cause instanceof ApiProblem && [0, 502, 503, 504].includes(cause.status);
}

type Query = Record<string, string | number | boolean | null | undefined | readonly string[]>;

let csrfToken = '';
let sessionEnded: () => void = () => undefined;
let acceptanceWanted: () => void = () => undefined;
let seekLogin: () => Promise<unknown> = () => Promise.resolve();
/** A 401 that says these is about what was given to prove who one is, and not about the login. */
const GIVEN_WRONG: readonly string[] = [
  'login-refused', 'challenge-over', 'proof-wanted', 'password-in-the-clear', 'directory-password-expired', 'passkey-refused',
];

export function setCsrfToken(token: string): void {
  csrfToken = token;
}

export function currentCsrfToken(): string {
  return csrfToken;
}

/** Names what happens when the server says that nobody is logged in (any more). */
export function onSessionEnded(handler: () => void): void {
  sessionEnded = handler;
}

/** Names what happens when a text has to be accepted before anything else. */
export function onAcceptanceWanted(handler: () => void): void {
  acceptanceWanted = handler;
}

/** Names what takes the login that the browser has by now: another tab may have renewed it. */
export function onTokenOld(handler: () => Promise<unknown>): void {
  seekLogin = handler;
}

/** Whether what was refused may be asked again: it was sent with the token of a login in whose place there is another. */
export async function renewed(cause: unknown, sent: string): Promise<boolean> {
  if (!(cause instanceof ApiProblem && cause.code === 'csrf')) return false;
  if (csrfToken === sent) await seekLogin();
  return csrfToken !== sent;
}

export function announceSessionEnd(): void {
  sessionEnded();
}

/** Joins a query; empty values are left out, lists repeat their name. */
export function queryString(query: Query): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined || value === null || value === '' || value === false) continue;
    if (Array.isArray(value)) for (const one of value) search.append(name, String(one));
    else search.set(name, String(value));
  }
  const text = search.toString();
  return text ? `?${text}` : '';
}

/** Reads a problem document (RFC 9457); anything else becomes its status. */
export function problemFrom(status: number, body: string): ApiProblem {
  try {
    const said = JSON.parse(body) as { code?: string; detail?: unknown; title?: string };
    const detail = typeof said.detail === 'string' ? said.detail : undefined;
    return new ApiProblem(status, said.code ?? 'error', detail ?? said.title ?? `HTTP ${status}`, { ...said });
  } catch {
    return new ApiProblem(status, 'error', `HTTP ${status}`);
  }
}

interface CallOptions {
  query?: Query;
  signal?: AbortSignal;
  /** A 401 here is an answer, not the end of a session. */
  anonymous?: boolean;
  headers?: Readonly<Record<string, string>>;
}

async function call<T>(method: string, path: string, body: unknown, options: CallOptions = {}): Promise<T> {
  const sent = csrfToken;
  try {
    return await once<T>(method, path, body, options);
  } catch (cause) {
    if (!(await renewed(cause, sent))) throw cause;
    return once<T>(method, path, body, options);
  }
}

async function once<T>(method: string, path: string, body: unknown, options: CallOptions): Promise<T> {
  const headers: Record<string, string> = { Accept: 'application/json', ...options.headers };
  const file = body instanceof Blob;
  if (method !== 'GET') headers['X-CSRF-Token'] = csrfToken;
  if (body !== undefined) headers['Content-Type'] = file ? 'application/octet-stream' : 'application/json';
  const { response, text } = await answered(async () => {
    const came = await fetch(path + queryString(options.query ?? {}), {
      method,
      headers,
      credentials: 'same-origin',
      ...(body === undefined ? {} : { body: file ? body : JSON.stringify(body) }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
    return { response: came, text: await came.text() };
  });
  if (!response.ok) {
    const problem = problemFrom(response.status, text);
    if (response.status === 401 && !options.anonymous && !GIVEN_WRONG.includes(problem.code)) sessionEnded();
    if (problem.code === 'acceptance-wanted') acceptanceWanted();
    throw problem;
  }
  return (text ? await answered(() => JSON.parse(text) as unknown) : undefined) as T;
}

/** An answer as it comes: none, one that breaks off and one of somebody else are the same, and may come another time. */
async function answered<T>(asked: () => T | Promise<T>): Promise<T> {
  try {
    return await asked();
  } catch (cause) {
    if (cause instanceof DOMException && cause.name === 'AbortError') throw cause;
    tell('error', 'network');
    throw new ApiProblem(0, 'unreachable', '');
  }
}

export const get = <T>(path: string, options?: CallOptions): Promise<T> => call<T>('GET', path, undefined, options);
export const post = <T>(path: string, body: unknown = {}, options?: CallOptions): Promise<T> =>
  call<T>('POST', path, body, options);
export const put = <T>(path: string, body: unknown): Promise<T> => call<T>('PUT', path, body);
export const patch = <T>(path: string, body: unknown): Promise<T> => call<T>('PATCH', path, body);
export const remove = (path: string): Promise<unknown> => call<unknown>('DELETE', path, undefined);
