/** What comes instead of an answer: nothing, half of one, somebody else's. Each is a broken line, and is told as one. */

import { afterEach, describe, expect, it, vi } from 'vitest';
import { ApiProblem, get, mayPass, onSessionEnded, onTokenOld, post, setCsrfToken } from './client';

afterEach(() => void vi.unstubAllGlobals());

const answering = (answer: () => Promise<Response>): void => void vi.stubGlobal('fetch', answer);

/** An answer whose line breaks after its first bytes. */
function broken(status: number, cause: unknown = new TypeError('network error')): Response {
  const body = new ReadableStream({
    start(line) {
      line.enqueue(new TextEncoder().encode('{"marks": ['));
      line.error(cause);
    },
  });
  return new Response(body, { status });
}

async function problemOf(answer: () => Promise<Response>): Promise<unknown> {
  answering(answer);
  return get('/api/marks').catch((cause: unknown) => cause);
}

describe('an answer', () => {
  it.each([
    ['never comes', () => Promise.reject(new TypeError('failed to fetch'))],
    ['breaks off', () => Promise.resolve(broken(200))],
    ['breaks off while it tells of a problem', () => Promise.resolve(broken(409))],
    ['is a page of somebody on the way', () => Promise.resolve(new Response('<html>Log in to this network</html>'))],
    ['is half of its own, yet ended', () => Promise.resolve(new Response('{"marks": ['))],
  ])('that %s is a broken line: the same may be asked again', async (_, answer) => {
    const problem = await problemOf(answer);
    expect(problem).toBeInstanceOf(ApiProblem);
    expect(problem).toMatchObject({ status: 0, code: 'unreachable' });
    expect(mayPass(problem)).toBe(true);
  });

  it('that nobody waits for any more is no problem, also when it had begun', async () => {
    const given = new DOMException('given up', 'AbortError');
    expect(await problemOf(() => Promise.resolve(broken(200, given)))).toBe(given);
    expect(await problemOf(() => Promise.reject(given))).toBe(given);
  });

  it('that is empty is one, and so is a problem in words of somebody else', async () => {
    expect(await problemOf(() => Promise.resolve(new Response(null, { status: 204 })))).toBeUndefined();
    expect(await problemOf(() => Promise.resolve(new Response('<html>', { status: 502 })))).toMatchObject({ status: 502, code: 'error' });
  });
});

const refused = (status: number, code: string): Response => new Response(JSON.stringify({ code }), { status });

describe('what is refused', () => {
  it('because another tab has renewed the login is asked again with the token of that, and once', async () => {
    const sent: string[] = [];
    vi.stubGlobal('fetch', (_: string, { headers }: { headers: Record<string, string> }) => {
      sent.push(headers['X-CSRF-Token'] ?? '');
      return Promise.resolve(sent.at(-1) === 'new' ? new Response('{"done": true}') : refused(403, 'csrf'));
    });
    setCsrfToken('old');
    onTokenOld(() => Promise.resolve(setCsrfToken('new')));
    expect(await post('/api/marks')).toEqual({ done: true });
    setCsrfToken('other');
    onTokenOld(() => Promise.resolve());
    await expect(post('/api/marks')).rejects.toMatchObject({ code: 'csrf' });
    expect(sent).toEqual(['old', 'new', 'other']);
  });

  it('because what proves somebody is wrong does not end the login', async () => {
    const ended = vi.fn();
    onSessionEnded(ended);
    vi.stubGlobal('fetch', () => Promise.resolve(refused(401, 'login-refused')));
    await expect(post('/api/me/closing')).rejects.toMatchObject({ status: 401 });
    expect(ended).not.toHaveBeenCalled();
    vi.stubGlobal('fetch', () => Promise.resolve(refused(401, 'session-ended')));
    await expect(get('/api/me')).rejects.toMatchObject({ status: 401 });
    expect(ended).toHaveBeenCalledOnce();
  });
});
