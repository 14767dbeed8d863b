// Comfort only: all pages work without it. Runs in the browser.
for (const button of /** @type {NodeListOf<HTMLButtonElement>} */ (document.querySelectorAll("button.copy"))) {
  if (!navigator.clipboard) break;
  button.hidden = false;
  button.addEventListener("click", async () => {
    const said = button.parentElement?.querySelector(".copied");
    const shown = document.getElementById(button.dataset.copy ?? "");
    if (!said || !shown) return;
    try {
      await navigator.clipboard.writeText(shown.textContent);
      said.textContent = "Copied.";
    } catch {
      said.textContent = "The browser does not let it be copied: select it by hand.";
    }
  });
}

// One click, one change: a form that is under way is not sent again.
for (const form of /** @type {NodeListOf<HTMLFormElement>} */ (document.querySelectorAll('form[method="post"]'))) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
addEventListener("pageshow", () => {
  for (const form of document.forms) delete form.dataset.sent;
});

// A browser may keep whole pages to go back to: not with a key on them.
addEventListener("pagehide", () => {
  for (const key of document.querySelectorAll(".key")) key.textContent = "It was shown once.";
});
