// The module of that name is the built Worker: it stands beside these only inside workerd.
declare const worker: { fetch(request: Request, env: unknown, ctx: ExecutionContext): Promise<Response> };
export default worker;
