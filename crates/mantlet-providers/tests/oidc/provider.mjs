// An OpenID provider in which callers log in with a form. It takes commands on standard input, one
// line of JSON each, and answers each with a line on standard output.
//
//   node provider.mjs MODULES FOLDER PORT OPTIONS
//
// oidc-provider is installed in MODULES. FOLDER outlives a process: keys, tokens and sessions are
// there, and the file `asked`, with a line for each request. OPTIONS is JSON: `client` (its
// metadata), and `idTokenClaims` (the ID token holds all claims, as with most providers),
// `delivers` (logout tokens are sent to the client).

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

const [modules, folder, port, given] = process.argv.slice(2);
const options = JSON.parse(given);
const installed = createRequire(join(modules, 'package.json'));
const load = (name) => import(pathToFileURL(installed.resolve(name)));
const { default: Provider } = await load('oidc-provider');
const { CompactSign } = await load('jose');

const ISSUER = `http://127.0.0.1:${port}`;

// ---- The folder

/** A value that is written when it is set. */
function kept(name, first) {
  const file = join(folder, name);
  let value = existsSync(file) ? JSON.parse(readFileSync(file)) : first;
  return {
    get: () => value,
    set(other) { value = other; writeFileSync(file, JSON.stringify(other)); },
  };
}

/** The newest stands first, and signs. All are published. */
const keys = kept('keys.json', []);

const newKey = () => ({
  ...generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }),
  alg: 'ES256', use: 'sig', kid: randomUUID(),
});

/** By their names. The password of all is `password`: the form takes any. */
const accounts = kept('accounts.json', {
  ada: {
    email: 'ada@example.com', email_verified: true, name: 'Ada', groups: ['staff', 'admin'],
    realm_access: { roles: ['editor'] },
  },
  eve: { email: 'eve@elsewhere.example', email_verified: true, name: 'Eve', groups: ['guests'] },
  mal: { email: 'mal@example.com', email_verified: false, name: 'Mal', groups: ['staff'] },
});

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

  all() { return [...store].filter(([key, payload]) => payload && key.startsWith(`${this.kind}:`)); }

  async upsert(id, payload) { this.put(id, payload); }

  async find(id) { return store.get(`${this.kind}:${id}`) ?? undefined; }

  async findByUid(uid) { return this.all().map(([, payload]) => payload).find((one) => one.uid === uid); }

  async findByUserCode() {}

  async destroy(id) { this.put(id, null); }

  async consume(id) {
    const payload = await this.find(id);
    this.put(id, { ...payload, consumed: Math.floor(Date.now() / 1000) });
  }

  async revokeByGrantId(grant) {
    const own = this.all().filter(([, payload]) => payload.grantId === grant);
    own.forEach(([key]) => this.put(key.slice(this.kind.length + 1), null));
  }
}

// ---- The provider

/** Logout tokens that were sent to the client, the oldest first. */
const sent = [];

/** To the client, if it has a socket. */
async function send(url, { method, body }) {
  sent.push(body.get('logout_token'));
  return options.delivers ? fetch(url, { method, body }) : new Response(null, { status: 204 });
}

const DAYS = 24 * 60 * 60;

function made() {
  return new Provider(ISSUER, {
    adapter: Adapter,
    jwks: { keys: keys.get() },
    clients: [options.client],
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    claims: {
      email: ['email', 'email_verified'], profile: ['name'], groups: ['groups', 'realm_access'],
    },
    conformIdTokenClaims: !options.idTokenClaims,
    cookies: { keys: ['a key of a test'] },
    fetch: send,
    features: { backchannelLogout: { enabled: true } },
    findAccount(_, id) {
      const claims = accounts.get()[id];
      return claims && { accountId: id, claims: async () => ({ sub: id, ...claims }) };
    },
    pkce: { required: () => true },
    rotateRefreshToken: true,
    ttl: {
      AccessToken: 600, AuthorizationCode: 60, IdToken: 30 * DAYS, RefreshToken: 30 * DAYS,
      Grant: 30 * DAYS, Interaction: 3600, Session: 30 * DAYS,
    },
  });
}

let current;

function use(others) {
  keys.set(others);
  current = made();
}

use(keys.get().length ? keys.get() : [newKey()]);

// ---- The commands

let delay = 0;
/** The status with which the token endpoint answers, if it does not work. */
let broken = 0;

const COMMANDS = {
  /** Delays answers of the token endpoint. */
  slow({ milliseconds }) { delay = milliseconds; },

  breaks({ status }) { broken = status; },

  /** Another key signs from now on; those before are still published, or not. */
  rotate({ forget }) { use([newKey(), ...(forget ? [] : keys.get())]); },

  /** Other claims of an account; none: it is gone. */
  account: ({ name, claims }) => accounts.set({ ...accounts.get(), [name]: claims ?? undefined }),

  /** Any claims, under the key that signs, or under one that is not published. */
  sign({ header, claims, forged }) {
    const key = forged ? newKey() : keys.get()[0];
    const payload = Buffer.from(JSON.stringify({ iss: ISSUER, ...claims }));
    return new CompactSign(payload).setProtectedHeader({ alg: 'ES256', kid: key.kid, ...header }).sign(key);
  },

  /** The logout tokens that were sent. */
  sent: () => sent,
};

const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const server = createServer(async (request, response) => {
  const path = request.url.split('?')[0];
  appendFileSync(join(folder, 'asked'), `${request.method} ${path}\n`);
  if (path === '/token') {
    await wait(delay);
    if (broken) {
      response.writeHead(broken, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ error: 'invalid_grant' }));
      return;
    }
  }
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
