// Resolution hook for Node versions whose hooks run on their own thread: an app
// that brings no @azure/functions gets the worker's copy in `import` as well.
let fallback;

export function initialize(data) {
  fallback = data;
}

export async function resolve(specifier, context, nextResolve) {
  if (specifier !== fallback.specifier) return nextResolve(specifier, context);
  try {
    return await nextResolve(specifier, context);
  } catch (error) {
    if (error.code !== 'ERR_MODULE_NOT_FOUND') throw error;
    return { url: fallback.url, format: 'commonjs', shortCircuit: true };
  }
}
