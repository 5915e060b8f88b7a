import { describe, expect, it } from 'vitest';
import { byPerson, mustResolve } from './resolve';

const asks = (query: string): boolean => mustResolve(new URLSearchParams(query));

describe('an address of the viewer', () => {
  it('with the id of a study needs no look at the server', () => {
    expect(asks('study=01a215eb-d472-70ca-a89b-a2f8a0ae1486')).toBe(false);
    expect(asks('study=01a215eb-d472-70ca-a89b-a2f8a0ae1486&requestType=STUDY')).toBe(false);
  });

  it('of any other form is asked about', () => {
    for (const query of ['study=1.2.840.1', 'accession=A1', 'patient=4711', 'requestType=PATIENT&patientID=4711']) {
      expect(asks(query), query).toBe(true);
    }
  });

  it('that names nothing is none', () => {
    for (const query of ['', 'study=', 'colour=red']) expect(asks(query), query).toBe(false);
  });
});

describe('studies of several people', () => {
  it('are parted as the server says, and never put together without its word', () => {
    expect(byPerson(['a', 'b', 'c'], [0, 1, 0])).toEqual([['a', 'c'], ['b']]);
    expect(byPerson(['a', 'b'], [])).toEqual([['a'], ['b']]);
  });
});
