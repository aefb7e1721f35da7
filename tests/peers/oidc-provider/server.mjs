// An unmodified oidc-provider for the tests of crates/oauth. One argument: JSON with the public keys that the test holds the
// private halves of. Keeps everything in memory, prints one line of JSON when it listens and one per refusal, and ends when its
// stdin does.
//
// What the operator of a real server would configure later comes on routes of its own: PUT /operator/attesters (JWKS of trusted
// attesters) and PUT /operator/clients/{id}/jwks (what stands at that client's jwks_uri).
import { createServer } from 'node:http';
import { createHash, createPublicKey, randomBytes, verify } from 'node:crypto';
import { exportJWK, generateKeyPair } from 'jose';
import Provider, { errors, interactionPolicy } from 'oidc-provider';

const { clientJwk, attesterJwk, secret } = JSON.parse(process.argv[2]);

const { privateKey } = await generateKeyPair('RS256', { extractable: true });
const signingKey = { ...(await exportJWK(privateKey)), alg: 'RS256', use: 'sig', kid: 'as-rs256' };

const attesters = new Map([[attesterJwk.kid, attesterJwk]]);
const clientKeys = new Map();

const common = {
  redirect_uris: ['https://app.example.com/oauth2/callback'],
  post_logout_redirect_uris: ['https://app.example.com/goodbye'],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token'],
  application_type: 'web',
  id_token_signed_response_alg: 'RS256',
};
const client = (client_id, token_endpoint_auth_method, more = {}) =>
  ({ ...common, client_id, token_endpoint_auth_method, ...more });

const configuration = {
  clients: [
    client('c-basic', 'client_secret_basic', { client_secret: secret }),
    client('c-signed', 'client_secret_basic', { client_secret: secret, userinfo_signed_response_alg: 'RS256' }),
    client('c-post', 'client_secret_post', { client_secret: secret }),
    client('c-csjwt', 'client_secret_jwt', { client_secret: secret, token_endpoint_auth_signing_alg: 'HS256' }),
    client('c-pkjwt', 'private_key_jwt', { jwks: { keys: [clientJwk] }, token_endpoint_auth_signing_alg: 'ES256' }),
    client('c-pkjwt-dpop', 'private_key_jwt', {
      jwks: { keys: [clientJwk] }, token_endpoint_auth_signing_alg: 'ES256', dpop_bound_access_tokens: true,
    }),
    client('c-minted-1', 'private_key_jwt', {
      jwks_uri: 'https://c-minted-1.client.example/jwks', token_endpoint_auth_signing_alg: 'ES256',
    }),
    client('c-attest', 'attest_jwt_client_auth'),
    client('c-attest-native', 'attest_jwt_client_auth', {
      application_type: 'native', redirect_uris: ['http://127.0.0.1/oauth2redirect'],
    }),
    client('c-attest-dpop', 'attest_jwt_client_auth_dpop', { dpop_bound_access_tokens: true }),
    client('c-public', 'none', {
      application_type: 'native', redirect_uris: ['http://127.0.0.1/callback', 'com.example.books:/oauth2redirect'],
    }),
  ],
  clientAuthMethods: [
    'none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt',
    'attest_jwt_client_auth', 'attest_jwt_client_auth_dpop',
  ],
  jwks: { keys: [signingKey] },
  fetch: (url, options) => fetchKeys(url, options),
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: true },
    dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
    pushedAuthorizationRequests: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    registration: { enabled: true, initialAccessToken: 'may-register' },
    registrationManagement: { enabled: true },
    userinfo: { enabled: true },
    jwtUserinfo: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    attestClientAuth: {
      enabled: true,
      ack: 'draft-12',
      challengeSecret: randomBytes(32),
      getAttestationSignaturePublicKey(ctx, header) {
        const known = attesters.get(header.kid);
        if (!known) throw new errors.InvalidClientAuth('unknown attester');
        return known;
      },
      assertAttestationJwtAndPop(ctx, attestation) {
        if (attestation.payload && attestation.payload.exp - attestation.payload.iat > 600)
          throw new errors.InvalidClientAuth('attestation lives too long');
      },
    },
  },
  extraClientMetadata: {
    properties: ['software_statement'],
    validator(ctx, key, statement, metadata) {
      if (!ctx) return;
      if (!statement) throw new errors.InvalidClientMetadata('a software statement is compulsory');
      const [header, claims, signature] = statement.split('.');
      const { kid } = JSON.parse(Buffer.from(header, 'base64url'));
      const signer = createPublicKey({ key: attesters.get(kid) ?? attesterJwk, format: 'jwk' });
      const good = verify('sha256', Buffer.from(`${header}.${claims}`), { key: signer, dsaEncoding: 'ieee-p1363' },
        Buffer.from(signature, 'base64url'));
      const { jkt, jwks } = JSON.parse(Buffer.from(claims, 'base64url'));
      if (!good || (jkt ?? calculateThumbprint(jwks?.keys?.[0])) !== calculateThumbprint(metadata.jwks?.keys?.[0])) throw new errors.InvalidSoftwareStatement('not by us, or not for this key');
    },
  },
  enabledJWA: { attestSigningAlgValues: ['ES256'] },
  scopes: ['openid', 'offline_access', 'profile', 'email'],
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: 'Ada Reader', email: `${id}@example.com`, email_verified: true }),
  }),
  issueRefreshToken: (ctx, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: () => true,
  interactions: { policy: interactionPolicy.base() },
  cookies: { keys: [randomBytes(16).toString('hex')] },
  ttl: {
    AccessToken: 300, AuthorizationCode: 60, IdToken: 300, RefreshToken: 86400, Session: 3600, Interaction: 600, Grant: 86400,
  },
};

function calculateThumbprint(jwk) {
  const { crv, kty, x, y } = jwk ?? {};
  return createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
}

async function operate(request, response) {
  const [, , kind, id] = request.url.split('/');
  let body = '';
  for await (const chunk of request) body += chunk;
  const { keys } = JSON.parse(body);
  if (kind === 'attesters') for (const key of keys) attesters.set(key.kid, key);
  else clientKeys.set(id, keys);
  response.writeHead(204).end();
}

// This server fetches nothing from loopback, rightly; so the keys of its clients stand under names that only it knows.
function fetchKeys(url, options) {
  const { hostname } = new URL(url);
  if (!hostname.endsWith('.client.example')) return fetch(url, options);
  const keys = clientKeys.get(hostname.split('.')[0]) ?? [];
  return Response.json({ keys });
}

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration);
  for (const event of ['grant.error', 'authorization.error', 'pushed_authorization_request.error', 'revocation.error',
    'userinfo.error', 'challenge.error', 'server_error'])
    provider.on(event, (ctx, error) => console.error(JSON.stringify(
      { event, path: ctx?.path, error: error.error ?? error.message, detail: error.error_detail })));
  const answer = provider.callback();
  server.on('request', (request, response) =>
    (request.url.startsWith('/operator/') ? operate(request, response) : answer(request, response)));
  console.log(JSON.stringify({ ready: true, issuer }));
});
process.on('SIGTERM', () => process.exit(0));
process.stdin.on('end', () => process.exit(0)).resume();
