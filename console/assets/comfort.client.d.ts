// The console's Worker has the file as text: it runs in browsers.
declare const text: string;
export default text;
