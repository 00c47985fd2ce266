'use strict';

const { systemError } = require('../errors');

const SAME_SITE = { lax: 'lax', strict: 'strict', none: 'explicitNone' };

/** The wire form of one cookie of a response; wrong types are the function's error. */
function toRpcCookie(cookie) {
  return {
    name: nullable(cookie?.name, 'string', 'cookie.name')?.value ?? '',
    value: nullable(cookie?.value, 'string', 'cookie.value')?.value ?? '',
    domain: nullable(cookie?.domain, 'string', 'cookie.domain'),
    path: nullable(cookie?.path, 'string', 'cookie.path'),
    expires: timestamp(cookie?.expires),
    secure: nullable(cookie?.secure, 'boolean', 'cookie.secure'),
    httpOnly: nullable(cookie?.httpOnly, 'boolean', 'cookie.httpOnly'),
    sameSite: cookie?.sameSite ? SAME_SITE[cookie.sameSite.toLowerCase()] ?? 'none' : 'none',
    maxAge: seconds(cookie?.maxAge),
  };
}

function nullable(value, type, name) {
  if (value === undefined || value === null) return undefined;
  if (typeof value === type) return { value };
  throw systemError(`A '${type}' type was expected instead of a '${typeof value}' type. Cannot parse value of '${name}'.`);
}

function seconds(value) {
  const isNumericText = typeof value === 'string' && !Number.isNaN(Number(value));
  return nullable(isNumericText ? Number.parseFloat(value) : value, 'number', 'cookie.maxAge');
}

// Dates before 1970 and invalid ones are left out, as the library does.
function timestamp(value) {
  if (value === undefined || value === null) return undefined;
  const milliseconds = typeof value === 'number' ? value : value.getTime?.();
  if (milliseconds === undefined) {
    throw systemError(`A 'number' or 'Date' input was expected instead of a '${typeof value}'. Cannot parse value of 'cookie.expires'.`);
  }
  return milliseconds > 0 ? { value: { seconds: Math.round(milliseconds / 1000) } } : undefined;
}

module.exports = { toRpcCookie };
