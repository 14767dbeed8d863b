// The bare pass-through that most people write, and the measure of everything else: one URL for another.
export default {
  fetch(request: Request): Promise<Response> {
    const url = new URL(request.url);
    url.protocol = "https:";
    url.host = "production.backends.example.com";
    return fetch(new Request(url, request));
  },
};
