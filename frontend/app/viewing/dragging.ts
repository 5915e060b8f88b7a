/**
 * A series that is dragged from the strip into a pane: by mouse or pen once it has moved, by finger once it was held. The
 * browsers' own dragging knows no fingers, and Firefox's no buttons.
 */

const MOVED = 6; // CSS pixels, from which on a press is a drag
const HELD_MS = 350;
const LEANT = 10; // how far a finger may move while it is held
const OVER = 'radrelay-series-over';
const DROPPED = 'radrelay-series-dropped';
const TARGET = 'data-takes-series';

interface Point {
  clientX: number;
  clientY: number;
}

const apart = (a: Point, b: Point): number => Math.hypot(a.clientX - b.clientX, a.clientY - b.clientY);

/** What is carried: it follows the pointer and tells the pane below it. */
class Carried {
  readonly #ghost: HTMLElement;
  #target: Element | null = null;

  constructor(
    source: HTMLElement,
    private readonly seriesId: string,
  ) {
    const ghost = document.createElement('div');
    ghost.style.cssText = 'position:fixed;top:0;left:0;z-index:10;pointer-events:none;opacity:0.85;border-radius:6px;overflow:hidden;box-shadow:0 6px 24px #000';
    ghost.append((source.querySelector('img') ?? source).cloneNode(true));
    const picture = ghost.firstElementChild as HTMLElement;
    picture.style.cssText = 'display:block;width:88px;height:88px;object-fit:contain;background:#000';
    this.#ghost = ghost;
    document.body.append(ghost);
  }

  move({ clientX, clientY }: Point): void {
    this.#ghost.style.transform = `translate(${clientX - 44}px, ${clientY - 66}px)`;
    const target = document.elementFromPoint(clientX, clientY)?.closest(`[${TARGET}]`) ?? null;
    if (target === this.#target) return;
    this.#tell(OVER, false);
    this.#target = target;
    this.#tell(OVER, true);
  }

  drop(): void {
    this.#tell(DROPPED, this.seriesId);
  }

  away(): void {
    this.#tell(OVER, false);
    this.#ghost.remove();
  }

  #tell(kind: string, detail: unknown): void {
    this.#target?.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

/** Lets a button be dragged that names its series; what it does when it is pressed alone stays. The series is read when
 * the drag begins: a study that is read afresh meanwhile does not end it. */
export function carries(source: HTMLElement): () => void {
  let start: PointerEvent | null = null;
  let carried: Carried | null = null;
  let timer = 0;
  let wasCarried = false;

  function begin(at: PointerEvent): void {
    clearTimeout(timer);
    carried = new Carried(source, source.dataset['series'] ?? '');
    carried.move(at);
    source.setPointerCapture(at.pointerId);
  }

  function end(): void {
    clearTimeout(timer);
    carried?.away();
    carried = start = null;
  }

  function down(event: PointerEvent): void {
    if (event.button !== 0 || !event.isPrimary) return end();
    wasCarried = false;
    start = event;
    if (event.pointerType === 'touch') timer = window.setTimeout(() => begin(event), HELD_MS);
  }

  function move(event: PointerEvent): void {
    if (!start || event.pointerId !== start.pointerId) return;
    if (carried) return carried.move(event);
    const isTouch = event.pointerType === 'touch';
    const isHeld = event.timeStamp - start.timeStamp >= HELD_MS; // a page that was busy heard the timer too late
    if (apart(start, event) <= (isTouch ? LEANT : MOVED)) return;
    if (!isTouch || isHeld) begin(event);
    else end(); // the strip is scrolled
  }

  function up(event: PointerEvent): void {
    if (!start || event.pointerId !== start.pointerId) return;
    wasCarried = carried !== null;
    if (event.type === 'pointerup') carried?.drop();
    end();
  }

  /** The browser's own word that a finger is held: its menu would take the finger away. */
  function held(event: Event): void {
    if (start?.pointerType !== 'touch') return;
    event.preventDefault();
    if (!carried) begin(start);
  }

  const off = new AbortController();
  const { signal } = off;
  source.addEventListener('pointerdown', down, { signal });
  // A quick mouse has left the button with its first move.
  addEventListener('pointermove', move, { signal });
  addEventListener('pointerup', up, { signal });
  addEventListener('pointercancel', up, { signal });
  source.addEventListener('dragstart', (event) => event.preventDefault(), { signal }); // the picture's own
  source.addEventListener('touchmove', (event) => carried && event.preventDefault(), { signal, passive: false });
  source.addEventListener('contextmenu', held, { signal });
  source.addEventListener('click', (event) => {
    if (wasCarried) event.stopImmediatePropagation();
    wasCarried = false;
  }, { signal, capture: true });
  addEventListener('keydown', (event) => {
    if (event.key !== 'Escape' || !carried) return;
    event.stopPropagation();
    end();
    wasCarried = true;
  }, { signal, capture: true });
  return () => {
    end();
    off.abort();
  };
}

/** Lets an element take a series. */
export function takesSeries(target: HTMLElement, onOver: (over: boolean) => void, onDropped: (seriesId: string) => void): () => void {
  const off = new AbortController();
  const { signal } = off;
  target.setAttribute(TARGET, '');
  target.addEventListener(OVER, (event) => onOver((event as CustomEvent<boolean>).detail), { signal });
  target.addEventListener(DROPPED, (event) => onDropped((event as CustomEvent<string>).detail), { signal });
  return () => off.abort();
}
