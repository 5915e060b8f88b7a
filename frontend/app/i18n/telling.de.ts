/** Deutsche Texte dafür, was Bilder einer Serie sind, die an derselben Stelle liegen. */

import type en from './telling.en';

const de: Record<keyof typeof en, string | [string, string]> = {
  'telling.parts': 'Diese Serie enthält',
  'telling.other': 'Ohne Angabe',
  'telling.temporal': 'Zeitpunkt {n}',
  'telling.echoTime': 'TE {ms} ms',
  'telling.echo': 'Echo {n}',
  'telling.b': 'b {b}',
  'telling.trigger': '{ms} ms nach R',
  'telling.kind.magnitude': 'Betrag',
  'telling.kind.phase': 'Phasenbild',
  'telling.kind.real': 'Realteil',
  'telling.kind.imaginary': 'Imaginärteil',
  'telling.kind.velocity': 'Geschwindigkeit',
  'telling.kind.water': 'Wasser',
  'telling.kind.fat': 'Fett',
  'telling.kind.in-phase': 'In Phase',
  'telling.kind.out-of-phase': 'Gegenphase',
  'telling.kind.fat-fraction': 'Fettanteil',
  'telling.kind.water-fraction': 'Wasseranteil',
  'telling.kind.adc': 'ADC',
  'telling.kind.eadc': 'eADC',
  'telling.kind.trace': 'Trace',
  'telling.kind.anisotropy': 'FA',
  'telling.kind.t1': 'T1-Karte',
  'telling.kind.t2': 'T2-Karte',
  'telling.kind.t2-star': 'T2*-Karte',
  'telling.kind.r2': 'R2-Karte',
  'telling.kind.r2-star': 'R2*-Karte',
  'telling.kind.subtraction': 'Subtraktion',
};

export default de;
