// The same without a URL object.
export default {
  fetch(request: Request): Promise<Response> {
    const { url } = request;
    return fetch(`https://production.backends.example.com${url.slice(url.indexOf("/", 8))}`, request);
  },
};
