//! Code hosts, registries, builds.

use super::{Shape, prefix, tied, word};

pub(super) const ROWS: &[Shape] = &[
    // docs.github.com/authentication/keeping-your-account-and-data-secure/about-authentication-to-github
    prefix("github-token", &["ghp_"], r"ghp_[A-Za-z0-9]{36,}"),
    prefix("github-oauth-token", &["gho_"], r"gho_[A-Za-z0-9]{36,}"),
    prefix("github-user-token", &["ghu_"], r"ghu_[A-Za-z0-9]{36,}"),
    prefix("github-app-token", &["ghs_"], r"ghs_[A-Za-z0-9]{36,}"),
    prefix("github-refresh-token", &["ghr_"], r"ghr_[A-Za-z0-9]{36,}"),
    prefix("github-fine-grained-token", &["github_pat_"], r"github_pat_[A-Za-z0-9_]{22,}"),
    // docs.gitlab.com/security/tokens: token prefixes
    prefix("gitlab-token", &["glpat-"], r"glpat-[A-Za-z0-9_.-]{20,}"),
    prefix("gitlab-trigger-token", &["glptt-"], r"glptt-[A-Za-z0-9_-]{20,}"),
    prefix("gitlab-runner-token", &["glrt-", "glrtr-"], r"glrtr?-[A-Za-z0-9_.-]{20,}"),
    prefix("gitlab-deploy-token", &["gldt-"], r"gldt-[A-Za-z0-9_-]{20,}"),
    prefix("gitlab-oauth-secret", &["gloas-"], r"gloas-[A-Za-z0-9_-]{64}"),
    prefix("gitlab-feed-token", &["glft-"], r"glft-[A-Za-z0-9_-]{20,}"),
    prefix("gitlab-mail-token", &["glimt-"], r"glimt-[A-Za-z0-9_-]{20,}"),
    prefix("gitlab-agent-token", &["glagent-"], r"glagent-[A-Za-z0-9_-]{40,}"),
    prefix("gitlab-scim-token", &["glsoat-"], r"glsoat-[A-Za-z0-9_-]{20,}"),
    prefix("gitlab-job-token", &["glcbt-"], r"glcbt-[A-Za-z0-9_-]{20,}"),
    prefix("gitlab-flags-token", &["glffct-"], r"glffct-[A-Za-z0-9_-]{20,}"),
    prefix("gitlab-registration-token", &["GR1348941"], r"GR1348941[A-Za-z0-9_-]{20,}"),
    // support.atlassian.com/bitbucket-cloud: app passwords and access tokens
    prefix("bitbucket-password", &["ATBB"], r"ATBB[A-Za-z0-9]{28,}"),
    prefix("bitbucket-token", &["ATCTT3"], r"ATCTT3[A-Za-z0-9_=-]{60,}"),
    // docs.npmjs.com/about-access-tokens
    prefix("npm-token", &["npm_"], r"npm_[A-Za-z0-9]{36,}"),
    tied("npm-token", &["_authtoken"], r"[A-Za-z0-9-]{36,}"),
    // pypi.org/help/#apitoken: macaroons of two locations
    prefix("pypi-token", &["pypi-AgE"], r"pypi-AgE[A-Za-z0-9_-]{50,}"),
    // guides.rubygems.org/api-key-scopes
    prefix("rubygems-key", &["rubygems_"], r"rubygems_[0-9a-f]{48}"),
    // doc.rust-lang.org/cargo/reference/publishing.html
    word("crates-token", &["cio"], r"cio[A-Za-z0-9]{32}\b{end-half}").checked(super::Check::Mixed),
    // learn.microsoft.com/nuget/nuget-org/publish-a-package
    word("nuget-key", &["oy2"], r"oy2[a-z0-9]{43}\b{end-half}"),
    // docs.docker.com/security/access-tokens
    prefix("docker-token", &["dckr_pat_", "dckr_oat_"], r"dckr_[op]at_[A-Za-z0-9_-]{27,}"),
    // github.com/clojars/clojars-web/wiki/Deploy-Tokens
    prefix("clojars-token", &["CLOJARS_"], r"CLOJARS_[a-z0-9]{60}"),
    // packagist.com/docs/api
    prefix("packagist-token", &["packagist_"], r"packagist_[a-z]{3}_[A-Za-z0-9]{40,}"),
    // jfrog.com/help: reference tokens and API keys
    prefix("artifactory-key", &["AKCp"], r"AKCp[A-Za-z0-9]{60,}"),
    prefix("artifactory-token", &["cmVmdGtu"], r"cmVmdGtu[A-Za-z0-9]{50,}"),
    // circleci.com/docs/managing-api-tokens
    prefix("circleci-token", &["CCIPAT_", "CCIPRJ_"], r"CCIP(?:AT|RJ)_[A-Za-z0-9]{20,}_[0-9a-f]{40}"),
    tied("circleci-token", &["circleci", "circle_token", "circle-token"], r"[0-9a-f]{40}\b{end-half}"),
    // buildkite.com/docs/apis/managing-api-tokens
    prefix("buildkite-token", &["bkua_", "bkpt_", "bkaj_", "bkct_"], r"bk(?:ua|pt|aj|ct)_[A-Za-z0-9_.-]{32,}"),
    // www.jenkins.io/doc/book/system-administration/authenticating-scripted-clients
    tied("jenkins-token", &["jenkins"], r"11[0-9a-f]{32}\b{end-half}"),
    tied("travis-token", &["travis"], r"[A-Za-z0-9_-]{22}\b{end-half}"),
    // developer.harness.io/docs/platform/automation/api/add-and-manage-api-keys
    word("harness-token", &["pat.", "sat."], r"[ps]at\.[A-Za-z0-9_-]{22}\.[0-9a-f]{24}\.[A-Za-z0-9]{20}"),
    // octopus.com/docs/octopus-rest-api/how-to-create-an-api-key
    word("octopus-key", &["API-"], r"API-[A-Z0-9]{26,36}\b{end-half}").checked(super::Check::Mixed),
    // docs.sonarsource.com: user, project and global analysis tokens
    prefix("sonar-token", &["sqp_", "squ_", "sqa_"], r"sq[pua]_[0-9a-f]{40}"),
    // docs.snyk.io: API tokens; docs.codecov.com
    tied("snyk-token", &["snyk"], r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    tied("codecov-token", &["codecov"], r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
    // sourcegraph.com/docs/cli/how-tos/creating_an_access_token
    prefix("sourcegraph-token", &["sgp_"], r"sgp_(?:[0-9a-f]{16}_|local_)?[0-9a-f]{40}"),
    // docs.infracost.io; www.pulumi.com/docs; docs.prefect.io; learning.postman.com; docs.readme.com
    prefix("infracost-key", &["ico-"], r"ico-[A-Za-z0-9]{32}"),
    prefix("pulumi-token", &["pul-"], r"pul-[0-9a-f]{40}"),
    word("prefect-key", &["pnu_", "pnb_"], r"pn[ub]_[A-Za-z0-9]{36}"),
    prefix("postman-key", &["PMAK-"], r"PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    prefix("readme-key", &["rdme_"], r"rdme_[a-z0-9]{70}"),
    // docs.gitea.com/development/api-usage
    tied("gitea-token", &["gitea", "forgejo"], r"[0-9a-f]{40}\b{end-half}"),
];
