// A provider of single sign-on for the tests: oidc-provider, with people and clients from files that the tests write.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider from 'oidc-provider';

const folder = process.argv[2];
const port = Number(process.argv[3]);
const read = (name) => JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8'));

const provider = new Provider(`https://127.0.0.1:${port}`, {
  clients: read('clients'),
  jwks: read('keys'),
  cookies: { keys: ['for tests alone'] },
  claims: { openid: ['sub'], profile: ['name', 'preferred_username', 'groups'], email: ['email'] },
  acrValues: ['gold'],
  features: {
    devInteractions: { enabled: true },
    backchannelLogout: { enabled: true },
    rpInitiatedLogout: { enabled: true },
  },
  // Its own fetch asks no private address; Radrelay is at one here.
  fetch: (url, { dispatcher, ...options }) => fetch(url, { signal: AbortSignal.timeout(2500), ...options }),
  ttl: { Session: 600, Interaction: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
  // Whoever logs in has agreed: the tests are about what comes after.
  async loadExistingGrant(context) {
    const grant = new context.oidc.provider.Grant({
      clientId: context.oidc.client.clientId,
      accountId: context.oidc.session.accountId,
    });
    grant.addOIDCScope('openid profile email');
    await grant.save();
    return grant;
  },
  async findAccount(context, id) {
    return { accountId: id, claims: async () => ({ sub: id, ...read('people')[id] }) };
  },
});
provider.on('server_error', (context, error) => console.error(error));
provider.on('backchannel.error', (context, error) => console.error(error));
provider.on('grant.error', (context, error) => console.error(error.message, error.error_description, error.error_detail));
const options = { key: readFileSync(`${folder}/server.key`), cert: readFileSync(`${folder}/server.pem`) };
createServer(options, provider.callback()).listen(port, '127.0.0.1', () => console.log('listening'));
