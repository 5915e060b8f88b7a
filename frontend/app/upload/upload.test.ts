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
  for (const path of ['a.dcm', 'b.dcm']) yield { path, file: new File(['x'], path) };
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
