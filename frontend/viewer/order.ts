/** In which order frames are fetched: the one looked at, then outwards, a little further in the way of scrolling. */

/** Lists up to `most` places around `centre`. `way`: +1, -1, or 0 when the reader stands still. */
export function aroundCentre(centre: number, count: number, way: number, most: number): number[] {
  const order: number[] = [];
  const ahead = way < 0 ? -1 : 1;
  let forth = 0;
  let back = 1;
  const take = (place: number): void => {
    if (place >= 0 && place < count) order.push(place);
  };
  while (order.length < most && (forth < count || back < count)) {
    const lead = way === 0 ? 1 : 3;
    for (let turn = 0; turn < lead; turn += 1) take(centre + ahead * forth++);
    take(centre - ahead * back++);
  }
  return order.slice(0, most);
}
