// An OIDC provider. It takes commands on standard input, one line of JSON each, and answers each
// with a line on standard output.
//
//   node provider.mjs MODULES FOLDER PORT
//
// oidc-provider is installed in MODULES. FOLDER outlives a process: its keys and tokens are there,
// and the file `asked`, with a line for each request.

import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

// Standard output is for answers, so notices go where warnings go.
console.info = console.error;

const [modules, folder, port] = process.argv.slice(2);
const installed = createRequire(join(modules, 'package.json'));
const load = (name) => import(pathToFileURL(installed.resolve(name)));
const { default: Provider } = await load('oidc-provider');
const { CompactSign } = await load('jose');

const ISSUER = `http://127.0.0.1:${port}`;
const USER_GRANT = 'urn:mantlet:user';

// ---- The folder

/** All keys are published. The newest stand first, and sign. */
const KEYS = join(folder, 'keys.json');
const NEW_KEYS = {
  RS256: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
  EdDSA: () => generateKeyPairSync('ed25519'),
};

function newKeys() {
  return Object.entries(NEW_KEYS).map(([alg, make]) => ({
    ...make().privateKey.export({ format: 'jwk' }), alg, use: 'sig', kid: `${alg}-${randomUUID()}`,
  }));
}

let keys = existsSync(KEYS) ? JSON.parse(readFileSync(KEYS)) : [];

/** The store of oidc-provider, by kind and id: a file with a line for each change. */
const STORE = join(folder, 'store');
const changes = existsSync(STORE) ? readFileSync(STORE, 'utf8').trim().split('\n') : [];
const store = new Map(changes.map((line) => JSON.parse(line)));

class Adapter {
  constructor(kind) { this.kind = kind; }

  put(id, payload) {
    const change = [`${this.kind}:${id}`, payload];
    store.set(...change);
    appendFileSync(STORE, `${JSON.stringify(change)}\n`);
  }

  async upsert(id, payload) { this.put(id, payload); }

  async find(id) { return store.get(`${this.kind}:${id}`) ?? undefined; }

  async destroy(id) { this.put(id, null); }

  // Only flows in a browser use these, and there are none.
  async findByUid() {}

  async findByUserCode() {}

  async consume() {}

  async revokeByGrantId() {}
}

// ---- The provider

/** The query of a resource (RFC 8707) describes its tokens: `audience`, `alg`, `ttl`, `opaque`. */
function resourceServer(ctx, resource) {
  const query = new URL(resource).searchParams;
  return {
    audience: query.get('audience'),
    scope: ctx.oidc.params.scope ?? '',
    accessTokenTTL: Number(query.get('ttl')),
    accessTokenFormat: query.has('opaque') ? 'opaque' : 'jwt',
    jwt: { sign: { alg: query.get('alg') } },
  };
}

/** A token for a user, as at the end of a flow in a browser. */
async function userGrant(ctx) {
  const { client, params, provider } = ctx.oidc;
  const { subject, sid, scope, resource } = params;
  const grant = new provider.Grant({ accountId: subject, clientId: client.clientId });
  grant.addResourceScope(resource, scope);
  const token = new provider.AccessToken({
    accountId: subject, client, scope, grantId: await grant.save(), gty: USER_GRANT,
    extra: sid ? { sid } : undefined,
  });
  token.resourceServer = new provider.ResourceServer(resource, resourceServer(ctx, resource));
  ctx.body = { access_token: await token.save(), token_type: 'Bearer' };
}

/** The last logout token, and whether it is sent to its client. */
const logout = { token: null, sent: false };

/** Without the dispatcher, which refuses addresses of this machine: all clients run there. */
async function send(url, { dispatcher, ...options }) {
  logout.token = options.body.get('logout_token');
  return logout.sent ? fetch(url, options) : new Response(null, { status: 204 });
}

function made() {
  const provider = new Provider(ISSUER, {
    adapter: Adapter,
    jwks: { keys },
    clients: [{
      client_id: 'gate',
      client_secret: process.env.CLIENT_SECRET,
      grant_types: ['client_credentials', USER_GRANT],
      redirect_uris: [],
      response_types: [],
      backchannel_logout_uri: 'https://gate.test/logout',
      backchannel_logout_session_required: true,
    }],
    enabledJWA: { idTokenSigningAlgValues: Object.keys(NEW_KEYS) },
    extraTokenClaims: (_, token) => token.extra,
    fetch: send,
    features: {
      devInteractions: { enabled: false },
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      introspection: { enabled: true },
      revocation: { enabled: true },
      resourceIndicators: { enabled: true, getResourceServerInfo: resourceServer },
    },
    ttl: {
      AccessToken: (_, token) => token.resourceServer.accessTokenTTL,
      ClientCredentials: (_, token) => token.resourceServer.accessTokenTTL,
    },
  });
  provider.registerGrantType(USER_GRANT, userGrant, ['subject', 'sid', 'scope', 'resource']);
  return provider;
}

/** Replaces the provider by one with these keys. */
function use(others) {
  keys = others;
  writeFileSync(KEYS, JSON.stringify(keys));
  current = made();
}

let current;
use(keys.length ? keys : newKeys());

// ---- The commands

let delay = 0;

const COMMANDS = {
  slow: ({ milliseconds }) => { delay = milliseconds; },

  rotate: () => use([...newKeys(), ...keys]),

  forget: () => use(keys.slice(0, Object.keys(NEW_KEYS).length)),

  /** Any claims, under the key that signs. */
  sign: ({ header, claims }) => {
    const key = keys.find(({ alg }) => alg === header.alg);
    const payload = Buffer.from(JSON.stringify({ iss: ISSUER, ...claims }));
    return new CompactSign(payload).setProtectedHeader({ kid: key.kid, ...header }).sign(key);
  },

  /** A logout token for the client `gate`, sent to an address if there is one. */
  async logOut({ alg, subject, sid, to }) {
    const client = await current.Client.find('gate');
    client.idTokenSignedResponseAlg = alg;
    client.backchannelLogoutSessionRequired = Boolean(sid);
    client.backchannelLogoutUri = to ?? 'https://gate.test/logout';
    logout.sent = Boolean(to);
    const refused = await client.backchannelLogout(subject, sid).catch((error) => error);
    if (refused && !refused.response) throw refused;
    return { token: logout.token, status: refused?.response.status ?? 200 };
  },
};

const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const server = createServer(async (request, response) => {
  const path = request.url.split('?')[0];
  appendFileSync(join(folder, 'asked'), `${request.method} ${path}\n`);
  // New tokens come at once: tests need them.
  if (delay && path !== '/token') await wait(delay);
  // oidc-provider makes its addresses from this header.
  request.headers.host = new URL(ISSUER).host;
  current.callback()(request, response);
});

server.listen(port, '127.0.0.1', async () => {
  answer({ ready: true });
  for await (const line of createInterface({ input: process.stdin })) {
    const { command, ...rest } = JSON.parse(line);
    try {
      answer({ said: await COMMANDS[command](rest) ?? null });
    } catch (error) {
      answer({ error: String(error.stack) });
    }
  }
  // The tests have ended, in whatever way.
  process.exit(0);
});
