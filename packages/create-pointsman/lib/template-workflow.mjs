// The workflow of a new gateway, for GitHub.

export const workflow =
  () => `# On a pull request: the check, the cases, and which callers the change would move, as a comment.
# On main: the deployment. It needs two secrets of the repository, for the environment "production":
#   CLOUDFLARE_API_TOKEN   made with the template "Edit Cloudflare Workers", for this account alone. What it needs of it:
#                          Workers Scripts: Edit, Workers KV Storage: Edit, Account Settings: Read; for a route or a domain
#                          of yours also Workers Routes: Edit, for that zone alone
#   CLOUDFLARE_ACCOUNT_ID
name: gateway

on:
  pull_request:
  push:
    branches: [main]

permissions:
  contents: read

jobs:
  check:
    runs-on: ubuntu-24.04
    timeout-minutes: 10
    permissions:
      contents: read
      # For the comment.
      pull-requests: write
    steps:
      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2
        with:
          persist-credentials: false
          # diff compares with the branch that the change is for.
          fetch-depth: 0
      - uses: actions/setup-node@395ad3262231945c25e8478fd5baf05154b1d79f # v6.1.0
        with:
          node-version: 24
          cache: npm
      - run: npm ci
      - run: npm test
      - name: Which callers would move
        if: github.event_name == 'pull_request'
        env:
          BASE: \${{ github.event.pull_request.base.sha }}
        run: |
          code=0
          npx pointsman diff --base "$BASE" --data data > diff.txt || code=$?
          # 0: nobody moves, 4: somebody does. Anything else is a failure.
          if [ "$code" != 0 ] && [ "$code" != 4 ]; then cat diff.txt; exit "$code"; fi
          { echo '### Which callers would move'; echo '\`\`\`text'; cat diff.txt; echo '\`\`\`'; } | tee comment.md >> "$GITHUB_STEP_SUMMARY"
      - name: Comment
        # A pull request from a fork may not comment; the summary of the run has it.
        if: github.event_name == 'pull_request' && github.event.pull_request.head.repo.full_name == github.repository
        env:
          GH_TOKEN: \${{ github.token }}
          PULL_REQUEST: \${{ github.event.pull_request.html_url }}
        run: gh pr comment "$PULL_REQUEST" --body-file comment.md --edit-last --create-if-none

  deploy:
    if: github.ref == 'refs/heads/main' && github.event_name == 'push'
    needs: check
    runs-on: ubuntu-24.04
    timeout-minutes: 15
    environment: production
    # One after the other: the later change is the one that stays.
    concurrency: deploy
    steps:
      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2
        with:
          persist-credentials: false
      - uses: actions/setup-node@395ad3262231945c25e8478fd5baf05154b1d79f # v6.1.0
        with:
          node-version: 24
          cache: npm
      - run: npm ci
      - run: npm run deploy
        env:
          CLOUDFLARE_API_TOKEN: \${{ secrets.CLOUDFLARE_API_TOKEN }}
          CLOUDFLARE_ACCOUNT_ID: \${{ secrets.CLOUDFLARE_ACCOUNT_ID }}
      # Customers and keys of data/, where they are kept there:
      # - run: npx pointsman apply data --remote
      #   env: the same
`;
