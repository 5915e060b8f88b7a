/** Deutsche Texte der Links, die nach einem Code per E-Mail fragen: erstellen, und mit einem kommen. */

import type words from './mailcodes.en';

export default {
  'share.protectEmail': 'einem Code, der jedes Mal neu per E-Mail kommt',
  'share.email': 'E-Mail-Adresse',
  'share.emailHint': 'Wer den Link öffnet, fordert einen Code an; er geht dorthin. Die Seite zeigt nie die ganze Adresse.',
  'share.emailMade': 'Bei jedem Öffnen geht ein Code an {address}.',
  'links.byEmail': 'Code an {address}',
  'links.access.code': 'Code gesendet',

  'arrive.email': 'Diese Bilder sind durch einen Code geschützt. Wir senden ihn per E-Mail an {address}.',
  'arrive.send': 'Code senden',
  'arrive.again': 'Neuen Code senden',
  'arrive.againIn': ['Neuer Code in {n} Sekunde', 'Neuer Code in {n} Sekunden'],
  'arrive.code': 'Code aus der E-Mail',
  'arrive.codeLead': 'Bitte geben Sie die sechs Ziffern ein, die per E-Mail an {address} kommen. Sie gelten bis {time}, einmal, auf diesem Gerät.',
  'arrive.code.waiting': 'Die E-Mail ist unterwegs …',
  'arrive.code.delayed': 'Der Mailserver antwortet gerade nicht. Der Code wird gesendet, sobald er es tut; Sie können diese Seite offen lassen.',
  'arrive.code.sent': 'Die E-Mail ist gesendet. Kommt sie nicht innerhalb einer Minute, sehen Sie bitte im Spam-Ordner nach.',
  'arrive.code.failed': 'Die E-Mail wurde abgewiesen: Diese Adresse nimmt keine Nachrichten an. Bitte sagen Sie es der Stelle, von der Sie den Link haben.',
  'arrive.code.over': 'Dieser Code gilt nicht mehr. Bitte fordern Sie einen neuen an.',
  'arrive.tooSoon': ['Gerade eben wurde ein Code gesendet. In {n} Sekunde können Sie den nächsten anfordern.', 'Gerade eben wurde ein Code gesendet. In {n} Sekunden können Sie den nächsten anfordern.'],
  'arrive.noMail': 'Von hier kann gerade keine E-Mail gesendet werden. Bitte sagen Sie es der Stelle, von der Sie den Link haben.',

  'problem.link-code-over': 'Dieser Code gilt nicht mehr. Fordern Sie einen neuen an.',
  'problem.link-asks-for-none': 'Dieser Link fragt nicht nach einem Code per E-Mail.',
  'audit.action.link.code': 'Code für einen Link per E-Mail gesendet',
} satisfies Record<keyof typeof words, string | [string, string]>;
