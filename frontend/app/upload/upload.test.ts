import { beforeEach, expect, test, vi } from 'vitest';
import { ApiProblem } from '../api/client';
import type { PickedFile } from './entries';
import { put } from './put';
import { Upload } from './upload.svelte';

vi.hoisted(() => vi.stubGlobal('addEventListener', () => undefined));
vi.mock('./put', () => ({ put: vi.fn() }));
vi.mock('../state/live.svelte', () => ({ onLive: vi.fn() }));
vi.mock('../state/notices.svelte', () => ({ problemText: () => 'too large' }));
vi.mock('../state/session.svelte', () => ({ session: { ended: false } }));

const refused: string[] = [];
const closed: (readonly string[])[] = [];

beforeEach(() => {
  refused.length = closed.length = 0;
  vi.mocked(put).mockImplementation((url) => (refused.includes(url) ? Promise.reject(Object.assign(Object.create(ApiProblem.prototype), { status: 413, code: 'too-large', message: '' })) : Promise.resolve()));
});

async function* picked(): AsyncGenerator<PickedFile> {
  for (const path of ['b.dcm', 'a.dcm']) yield { path, file: new File(['x'], path, { lastModified: 1 }) };
}

const toImport = (): Upload =>
  new Upload({ name: 'disc', files: picked() }, {
    create: () => Promise.resolve({ id: '1' }), fileUrl: (_, path) => path, read: null,
    done: (_, lacking) => Promise.resolve(closed.push(lacking)),
  });

test('a file of an import that was refused stops it until somebody tries again', async () => {
  refused.push('b.dcm');
  const upload = toImport();
  await vi.waitFor(() => expect(upload.state).toBe('asking'));
  expect([upload.unsent.map(({ file_name: name }) => name), closed]).toEqual([['b.dcm'], []]);
  refused.length = 0;
  await upload.again();
  expect([upload.state, upload.sent, closed]).toEqual(['done', 2, [[]]]);
});

test('going on without it names what is lacking', async () => {
  refused.push('b.dcm');
  const upload = toImport();
  await vi.waitFor(() => expect(upload.state).toBe('asking'));
  await upload.goOn();
  expect(closed).toEqual([['b.dcm']]);
});

test('names that are too long to be told do not keep it from being closed', async () => {
  refused.push('ä'.repeat(1100));
  async function* long(): AsyncGenerator<PickedFile> {
    for (const path of ['a.dcm', 'ä'.repeat(1100)]) yield { path, file: new File(['x'], 'x') };
  }
  const upload = new Upload({ name: 'disc', files: long() }, {
    create: () => Promise.resolve({ id: '1' }), fileUrl: (_, path) => path, read: null,
    done: (_, lacking) => Promise.resolve(closed.push(lacking)),
  });
  await vi.waitFor(() => expect(upload.state).toBe('asking'));
  await upload.goOn();
  expect(closed).toEqual([['ä'.repeat(1024)]]);
});

test('an upload says what is to come before anything does, and is known again by its files', async () => {
  const announced: [key: string, files: number, bytes: number, asked: number][] = [];
  const urls: string[] = [];
  const again = (): Upload =>
    new Upload({ name: 'disc', files: picked() }, {
      create: () => Promise.resolve({ id: '1' }), read: null,
      announce: (_, key, files, bytes) => Promise.resolve(announced.push([key, files, bytes, urls.length])),
      fileUrl: (_, path, place) => (urls.push(`${path} ${place?.upload} ${place?.number}`), path),
      done: (_, lacking, key) => Promise.resolve(closed.push([...lacking, key])),
    });
  const upload = again();
  await vi.waitFor(() => expect(upload.state).toBe('done'));
  const [key, ...told] = announced[0] ?? [];
  expect([told, upload.found, upload.foundBytes, upload.allFound]).toEqual([[2, 2, 0], 2, 2, true]);
  expect(urls).toEqual([`a.dcm ${key} 0`, `b.dcm ${key} 1`]);
  expect(closed).toEqual([[key]]);
  const twice = again();
  await vi.waitFor(() => expect(twice.state).toBe('done'));
  expect(announced[1]?.[0]).toBe(key);
});

test('what is given up before any of it came is announced no more', async () => {
  refused.push('a.dcm', 'b.dcm');
  const announced: number[] = [];
  const upload = new Upload({ name: 'disc', files: picked() }, {
    create: () => Promise.resolve({ id: '1' }), read: null, fileUrl: (_, path) => path, done: () => Promise.resolve(),
    announce: (_, __, files) => Promise.resolve(announced.push(files)),
  });
  await vi.waitFor(() => expect(upload.state).toBe('asking'));
  upload.cancel();
  expect(announced).toEqual([2, 0]);
});
