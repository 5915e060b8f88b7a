/** English words of links that ask for a code by e-mail: making them, and coming with one. */

export default {
  'share.protectEmail': 'a code that is sent by e-mail, new each time',
  'share.email': 'E-mail address',
  'share.emailHint': 'Whoever opens the link asks for a code and gets it there. The page never shows the whole address.',
  'share.emailMade': 'A code is sent to {address} each time the link is opened.',
  'links.byEmail': 'code to {address}',
  'links.access.code': 'Code sent',

  'arrive.email': 'These images are protected by a code. We send it by e-mail to {address}.',
  'arrive.send': 'Send code',
  'arrive.again': 'Send a new code',
  'arrive.againIn': ['A new code in {n} second', 'A new code in {n} seconds'],
  'arrive.code': 'Code from the e-mail',
  'arrive.codeLead': 'Please enter the six digits that come by e-mail to {address}. They are valid until {time}, once, on this device.',
  'arrive.code.waiting': 'The e-mail is on its way …',
  'arrive.code.delayed': 'The mail server does not answer just now. The code is sent as soon as it does; you can leave this page open.',
  'arrive.code.sent': 'The e-mail has been sent. If it does not come within a minute, look among the unwanted mail (spam).',
  'arrive.code.failed': 'The e-mail was refused: this address takes no mail. Please tell whoever gave you the link.',
  'arrive.code.over': 'This code is not valid any more. Please ask for a new one.',
  'arrive.tooSoon': ['A code was sent a moment ago. You can ask for the next one in {n} second.', 'A code was sent a moment ago. You can ask for the next one in {n} seconds.'],
  'arrive.noMail': 'No e-mail can be sent from here just now. Please tell whoever gave you the link.',

  'problem.link-code-over': 'This code is not valid any more. Ask for a new one.',
  'problem.link-asks-for-none': 'This link asks for no code by e-mail.',
  'audit.action.link.code': 'Code for a link sent by e-mail',
} satisfies Record<string, string | [string, string]>;
