//! Services for models and agents.

use super::{Shape, prefix, tied, word};

pub(super) const ROWS: &[Shape] = &[
    // platform.openai.com/docs/api-reference/authentication
    word("openai-key", &["sk-proj-", "sk-svcacct-", "sk-admin-"], r"sk-(?:proj|svcacct|admin)-[A-Za-z0-9_-]{40,}"),
    word("openai-key", &["sk-"], r"sk-[A-Za-z0-9]{20}T3BlbkFJ[A-Za-z0-9]{20,}"),
    word("api-key", &["sk-"], r"sk-[A-Za-z0-9]{32,}").checked(super::Check::Mixed),
    // docs.anthropic.com/en/api/overview#authentication
    word("anthropic-key", &["sk-ant-"], r"sk-ant-[a-z]{2,8}[0-9]{2}-[A-Za-z0-9_-]{24,}"),
    // openrouter.ai/docs/api-reference/authentication
    word("openrouter-key", &["sk-or-"], r"sk-or-v[0-9]-[0-9a-f]{48,}"),
    // langfuse.com/docs/observability/get-started
    word("langfuse-key", &["sk-lf-"], r"sk-lf-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    // huggingface.co/docs/hub/security-tokens
    word("huggingface-token", &["hf_"], r"hf_[A-Za-z0-9]{30,}"),
    prefix("huggingface-token", &["api_org_"], r"api_org_[A-Za-z0-9]{30,}"),
    // console.groq.com/docs/quickstart
    word("groq-key", &["gsk_"], r"gsk_[A-Za-z0-9]{40,}"),
    // replicate.com/docs/reference/http#authentication
    word("replicate-token", &["r8_"], r"r8_[A-Za-z0-9]{36,}"),
    // docs.perplexity.ai/getting-started
    word("perplexity-key", &["pplx-"], r"pplx-[A-Za-z0-9]{40,}"),
    // docs.x.ai/docs/overview
    word("xai-key", &["xai-"], r"xai-[A-Za-z0-9]{60,}"),
    // docs.nvidia.com/nim: personal API keys
    prefix("nvidia-key", &["nvapi-"], r"nvapi-[A-Za-z0-9_-]{60,}"),
    // elevenlabs.io/docs/api-reference/authentication
    word("elevenlabs-key", &["sk_"], r"sk_[0-9a-f]{48}\b{end-half}"),
    // docs.smith.langchain.com: API keys
    prefix("langsmith-key", &["lsv2_"], r"lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    // docs.pinecone.io/guides/projects/manage-api-keys
    prefix("pinecone-key", &["pcsk_"], r"pcsk_[A-Za-z0-9_]{40,}"),
    // docs.fireworks.ai/api-reference/introduction
    word("fireworks-key", &["fw_"], r"fw_[A-Za-z0-9]{22,}"),
    // jina.ai/api-dashboard
    word("jina-key", &["jina_"], r"jina_[A-Za-z0-9_-]{40,}"),
    // docs.tavily.com/documentation/api-reference/introduction
    word("tavily-key", &["tvly-"], r"tvly-(?:[a-z]{2,5}-)?[A-Za-z0-9-]{28,}"),
    // docs.firecrawl.dev/api-reference/introduction
    word("firecrawl-key", &["fc-"], r"fc-[0-9a-f]{32}\b{end-half}"),
    // e2b.dev/docs/api-key
    word("e2b-key", &["e2b_"], r"e2b_[0-9a-f]{40}\b{end-half}"),
    // inference-docs.cerebras.ai/quickstart
    word("cerebras-key", &["csk-"], r"csk-[a-z0-9]{40,}"),
    // docs.voyageai.com/docs/api-key-and-installation
    word("voyage-key", &["pa-"], r"pa-[A-Za-z0-9_-]{43}\b{end-half}").checked(super::Check::Mixed),
    // docs.unkey.com; docs.composio.dev; docs.wandb.ai/support/find_api_key
    word("unkey-key", &["unkey_"], r"unkey_[A-Za-z0-9]{20,}"),
    prefix("wandb-key", &["wandb_v1_"], r"wandb_v1_[A-Za-z0-9_-]{40,}"),
    tied("wandb-key", &["wandb"], r"[0-9a-f]{40}\b{end-half}"),
    // docs.cohere.com/reference/about; docs.mistral.ai/getting-started/quickstart: forty and thirty-two without a prefix
    tied("cohere-key", &["cohere", "co_api_key"], r"[A-Za-z0-9]{40}\b{end-half}"),
    tied("mistral-key", &["mistral"], r"[A-Za-z0-9]{32}\b{end-half}"),
    // docs.together.ai/docs/quickstart; developers.deepgram.com; www.assemblyai.com/docs
    tied("together-key", &["together"], r"[0-9a-f]{64}\b{end-half}"),
    tied("deepgram-key", &["deepgram"], r"[0-9a-f]{40}\b{end-half}"),
    tied("assemblyai-key", &["assemblyai"], r"[0-9a-f]{32}\b{end-half}"),
    // serpapi.com/search-api
    tied("serpapi-key", &["serpapi"], r"[0-9a-f]{64}\b{end-half}"),
    // docs.runpod.io/get-started/api-keys; docs.apify.com/platform/integrations/api; docs.browserbase.com
    word("runpod-key", &["rpa_"], r"rpa_[A-Z0-9]{40,}"),
    prefix("apify-token", &["apify_api_"], r"apify_api_[A-Za-z0-9]{30,}"),
    prefix("browserbase-key", &["bb_live_", "bb_test_"], r"bb_(?:live|test)_[A-Za-z0-9_-]{20,}"),
    // docs.exa.ai/reference/getting-started
    tied("exa-key", &["exa_api", "exa-api"], r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
];
