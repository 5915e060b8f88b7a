import { expect, it } from 'vitest';
import { listedNames, namesOf } from './files';

it('calls files as they are called on the medium', () => {
  const paths = ['86c647a5.zip/BEFUNDE/Befund.pdf', '86c647a5.zip/inner.zip/README.TXT', 'Scan.png', 'A.ZIP/brief.txt', 'b.zip/brief.txt'];
  expect([...namesOf(paths).values()]).toEqual(['BEFUNDE/Befund.pdf', 'inner.zip/README.TXT', 'Scan.png', 'A.ZIP/brief.txt', 'b.zip/brief.txt']);
  expect(namesOf(['a.zip', 'a.zip/x', 'x']).get('a.zip/x')).toBe('a.zip/x');
  expect(listedNames('1a.zip/README.TXT; 1a.zip/a/b; 2b.zip/README.TXT; …')).toBe('README.TXT; a/b; …');
});
