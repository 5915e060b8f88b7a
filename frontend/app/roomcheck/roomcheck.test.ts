/** Which display a window stands on, and whether that one is checked. */

import { describe, expect, it } from 'vitest';
import type { Display } from '../api/roomcheck';
import { matching, type ScreenFacts } from './screen';
import { stateFor } from './watch';

const LEFT: ScreenFacts = { columns: 2560, rows: 1440, css_width: 2560, css_height: 1440, screen_left: 0, screen_top: 0, label: '' };
const NOW = Date.parse('2026-03-02T09:00:00Z');

function display(name: string, facts: ScreenFacts, more: Partial<Display> = {}): Display {
  return {
    ...facts, id: name, name, workstation: 'PC', room: '2', room_class: 'RK1', use: 'ct', pixel_um: 233, retired_at: null,
    state: { checked: true, reason: 'checked', until: '2026-03-02T20:00:00Z' }, correction: null, corrected_by: null, ...more,
  };
}

const left = display('left', LEFT);
const right = display('right', { ...LEFT, screen_left: 2560 });

describe('the display that a window stands on', () => {
  it('is told from its equal twin by its place', () => {
    expect(matching([left, right], LEFT)).toEqual([left]);
    expect(matching([left, right], { ...LEFT, screen_left: 2560 })).toEqual([right]);
    expect(matching([left], { ...LEFT, screen_left: 2560 })).toEqual([]);
  });

  it('stays the same when the browser is zoomed, in either way of telling it', () => {
    expect(matching([left], { ...LEFT, columns: 2816, rows: 1584 })).toEqual([left]);
    expect(matching([left], { ...LEFT, css_width: 2327, css_height: 1309 })).toEqual([left]);
    expect(matching([left], { ...LEFT, columns: 1920, rows: 1080, css_width: 1920, css_height: 1080 })).toEqual([]);
  });

  it('is another one when the system names another', () => {
    const named = display('named', { ...LEFT, label: 'EIZO RX360' });
    expect(matching([named], { ...LEFT, label: 'EIZO RX360' })).toEqual([named]);
    expect(matching([named], { ...LEFT, label: 'Dell' })).toEqual([]);
    expect(matching([named], LEFT)).toEqual([named]);
  });
});

describe('whether it is checked', () => {
  it('ends with its check, without asking the server again', () => {
    const here = { workstation: 'PC', displays: [left] };
    expect(stateFor(here, NOW, LEFT).checked).toBe(true);
    expect(stateFor(here, Date.parse('2026-03-02T20:00:00Z'), LEFT).checked).toBe(false);
  });

  it('is no where nothing is known, or two can be meant', () => {
    expect(stateFor(null, NOW, LEFT).checked).toBe(false);
    expect(stateFor({ workstation: null, displays: [] }, NOW, LEFT).checked).toBe(false);
    expect(stateFor({ workstation: 'PC', displays: [left, display('twin', LEFT)] }, NOW, LEFT).checked).toBe(false);
  });

  it('brings the table of that display alone', () => {
    const table = Array.from({ length: 256 }, (_, grey) => Math.round(255 * (grey / 255) ** 1.2));
    const here = { workstation: 'PC', displays: [left, display('right', { ...LEFT, screen_left: 2560 }, { correction: table })] };
    expect(stateFor(here, NOW, LEFT).map).toBeNull();
    expect([...(stateFor(here, NOW, { ...LEFT, screen_left: 2560 }).map ?? [])]).toEqual(table);
  });
});
