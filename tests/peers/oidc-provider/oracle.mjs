// oauth4webapi as a second opinion on the requests and verdicts of crates/oauth. Reads one JSON command per line, answers each
// with one JSON line; ends when its stdin does. In every command: issuer, client_id, method, redirect_uri, scope, bound, pushed,
// skew (seconds between the server's clock and ours), and the secret, key or attestation that the method needs. The browser is
// the caller's: a first answer {authorize} is met with a line {arrived}.
import { createInterface } from 'node:readline';
import { createPrivateKey, randomUUID } from 'node:crypto';
import { SignJWT } from 'jose';
import * as oauth from 'oauth4webapi';

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const heard = async () => {
  const { value, done } = await lines.next();
  if (done) process.exit(0);
  return JSON.parse(value);
};
const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

const ec = { name: 'ECDSA', namedCurve: 'P-256' };
const privateKey = (pkcs8) => crypto.subtle.importKey('pkcs8', Buffer.from(pkcs8, 'base64'), ec, true, ['sign']);
const pair = async (pkcs8) => {
  const key = await privateKey(pkcs8);
  const { kty, crv, x, y } = await crypto.subtle.exportKey('jwk', key);
  return { privateKey: key, publicKey: await crypto.subtle.importKey('jwk', { kty, crv, x, y }, ec, true, ['verify']) };
};

async function run(command) {
  const sent = [];
  const options = {
    [oauth.allowInsecureRequests]: true,
    [oauth.customFetch]: async (url, init) => {
      const headers = Object.fromEntries(new Headers(init.headers));
      sent.push({ method: init.method, url: String(url), headers, body: String(init.body ?? '') });
      return fetch(url, init);
    },
  };
  const client = { client_id: command.client_id, [oauth.clockSkew]: command.skew ?? 0, ...command.metadata };
  try {
    await login(command, client, options);
    return { outcome: 'accept', sent };
  } catch (error) {
    const cause = error.cause?.message ?? '';
    return { outcome: 'refuse', code: error.code ?? error.name, message: `${error.message} ${cause}`.trim(), sent };
  }
}

async function login(command, client, options) {
  const issuer = new URL(command.issuer);
  const discovery = await oauth.discoveryRequest(issuer, { ...options, algorithm: 'oidc' });
  const as = await oauth.processDiscoveryResponse(issuer, discovery);
  const dpop = command.bound ? oauth.DPoP(client, await pair(command.instance)) : undefined;
  const bound = { ...options, DPoP: dpop };
  const authentication = await authenticate(command, as, options);
  const again = async (request) => {
    const process = await request();
    try { return await process(); } catch (error) {
      if (!oauth.isDPoPNonceError(error)) throw error;
      return (await request())();
    }
  };

  const verifier = oauth.generateRandomCodeVerifier();
  const [state, nonce] = [oauth.generateRandomState(), oauth.generateRandomNonce()];
  let parameters = {
    client_id: client.client_id, redirect_uri: command.redirect_uri, response_type: 'code', scope: command.scope, state, nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', ...command.extra,
  };
  if (dpop) parameters.dpop_jkt = await dpop.calculateThumbprint();
  if (command.pushed) {
    const pushed = await again(async () => {
      const response = await oauth.pushedAuthorizationRequest(as, client, authentication, parameters, bound);
      return () => oauth.processPushedAuthorizationResponse(as, client, response);
    });
    parameters = { client_id: client.client_id, request_uri: pushed.request_uri };
  }
  const url = new URL(as.authorization_endpoint);
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  say({ authorize: url.href });
  const { arrived } = await heard();

  const callback = oauth.validateAuthResponse(as, client, new URL(arrived), state);
  let response;
  const tokens = await again(async () => {
    response = await oauth.authorizationCodeGrantRequest(
      as, client, authentication, callback, command.redirect_uri, verifier, bound);
    const kept = response;
    return () => oauth.processAuthorizationCodeResponse(as, client, kept, { expectedNonce: nonce, requireIdToken: true });
  });
  await oauth.validateApplicationLevelSignature(as, response, options);
  const { sub } = oauth.getValidatedIdTokenClaims(tokens);
  if (!as.userinfo_endpoint) return;
  const user = await again(async () => {
    const answer = await oauth.userInfoRequest(as, client, tokens.access_token, bound);
    return () => oauth.processUserInfoResponse(as, client, sub, answer).then(() => answer);
  });
  if (user.headers.get('content-type')?.startsWith('application/jwt'))
    await oauth.validateApplicationLevelSignature(as, user, options);
  if (!command.refresh) return;
  await again(async () => {
    const answer = await oauth.refreshTokenGrantRequest(as, client, authentication, tokens.refresh_token, bound);
    return () => oauth.processRefreshTokenResponse(as, client, answer);
  });
}

// A shell of authentication methods; attestation is no method of oauth4webapi, so it is written here.
async function authenticate(command, as, options) {
  switch (command.method) {
    case 'none': return oauth.None();
    case 'client_secret_basic': return oauth.ClientSecretBasic(command.secret);
    case 'client_secret_post': return oauth.ClientSecretPost(command.secret);
    case 'client_secret_jwt': return oauth.ClientSecretJwt(command.secret);
    case 'private_key_jwt': return oauth.PrivateKeyJwt({ key: await privateKey(command.key), kid: command.kid });
    case 'attest_jwt_client_auth_dpop':
      return (_as, _client, _body, headers) => headers.set('oauth-client-attestation', command.attestation);
    case 'attest_jwt_client_auth': {
      const instance = createPrivateKey({ key: Buffer.from(command.instance, 'base64'), format: 'der', type: 'pkcs8' });
      return async (_as, client, _body, headers) => {
        const answer = await options[oauth.customFetch](as.challenge_endpoint, { method: 'POST', headers: { accept: 'application/json' } });
        const { attestation_challenge: challenge } = await answer.json();
        const proof = await new SignJWT({ challenge })
          .setProtectedHeader({ alg: 'ES256', typ: 'oauth-client-attestation-pop+jwt' })
          .setAudience(as.issuer).setJti(randomUUID()).setIssuedAt().sign(instance);
        headers.set('oauth-client-attestation', command.attestation);
        headers.set('oauth-client-attestation-pop', proof);
      };
    }
    default: throw new Error(`no such method: ${command.method}`);
  }
}

for (;;) say(await run(await heard()));
