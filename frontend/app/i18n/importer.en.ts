/** English words for what goes wrong with another institution's portal. */

export default {
  'problem.portal-trouble': 'The portal did not do what it should.',
  'problem.portal-not-allowed': 'Portals at {host} are not allowed yet. An administrator confirms the host once.',
  'problem.portal-address-refused': 'This address does not lead to a portal on the internet.',
  'problem.portal-not-encrypted': 'This address is not reached by HTTPS; nothing was sent.',
  'problem.portal-unreachable': '{host} cannot be reached.',
  'problem.portal-untrusted': 'The certificate of {host} is not trusted; nothing was sent.',
  'problem.portal-stalled': 'The portal took the request and then said too little for too long. Try again later.',
  'problem.portal-broke-off': 'The portal broke the connection off before all had come. Try again.',
  'problem.portal-busy': 'The portal is busy and asks to come back in {seconds} s.',
  'problem.portal-refused': 'The portal answers with an error (HTTP {status}).',
  'problem.portal-unclear': 'The portal’s answer is not one that this way of fetching knows.',
  'problem.portal-redirects': 'The portal sends from one address to the next without end.',
  'problem.portal-page-for-parcel':
    'The portal sent a web page where images were expected; the link may have ended, or want a login.',
  'problem.portal-wrong-content': 'What the portal sent is of no kind that is taken in.',
  'problem.portal-too-large': 'What the portal sends is larger than the limit.',
  'problem.portal-answer-wrong': 'The portal does not know this link, or the answers are wrong. Attempts left: {left}.',
  'problem.portal-answer-unusable':
    'An answer is missing or is not of the form that the portal asks for; nothing was sent.',
  'problem.portal-attempts-spent': 'Too many wrong answers for this link; no further ones are sent.',
  'problem.portal-link-expired': 'The link was right but has expired. Ask the sender for reactivation.',
  'problem.portal-login-ended': 'The portal ended the login and does not take the answers again. Begin anew.',
  'problem.portal-not-there': 'The portal does not have what the link leads to.',
  'problem.portal-nothing-listed': 'The portal accepts the link but lists nothing to fetch.',
};
