//! Programs by name: what each does whatever its words.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::Program;
use super::subcommands::cloud;
use crate::facts::Verb;

/// What a program does by its name; one that nobody listed may do anything.
pub(super) fn by_name(name: &str, arguments: &[&str]) -> Program {
    match PROGRAMS.get(name) {
        Some(Known::Is(program)) => *program,
        Some(Known::Cloud) => cloud(arguments),
        None => Program::Does(Verb::Execute),
    }
}

#[derive(Clone, Copy)]
enum Known {
    Is(Program),
    /// Its subcommands are verbs.
    Cloud,
}

static PROGRAMS: LazyLock<HashMap<&'static str, Known>> = LazyLock::new(|| {
    let lists = [
        (CLOUD, Known::Cloud),
        (SENDS, Known::Is(Program::Does(Verb::Send))),
        (GOVERNS, Known::Is(Program::Does(Verb::Govern))),
        (IDENTIFIES, Known::Is(Program::Does(Verb::Identity))),
        (OPERATES, Known::Is(Program::Does(Verb::Operate))),
        (OVERWRITES, Known::Is(Program::Does(Verb::Overwrite))),
        (REMOVES, Known::Is(Program::Does(Verb::Delete))),
        (WRITES, Known::Is(Program::Does(Verb::Write))),
        (DATABASES, Known::Is(Program::Database)),
        (NETWORK, Known::Is(Program::Network)),
        (SHELLS, Known::Is(Program::Shell)),
        (WRAPS, Known::Is(Program::Wraps)),
        (SECRETS, Known::Is(Program::ShowsSecrets)),
        (LOOKS, Known::Is(Program::Looks)),
    ];
    lists.into_iter().flat_map(|(list, known)| list.split_ascii_whitespace().map(move |name| (name, known))).collect()
});

const LOOKS: &str = "ls cat head tail wc grep rg ripgrep egrep fgrep zgrep zcat find fd pwd whoami id groups date echo printf \
    uname hostname df du free uptime ps pgrep top htop which type whereis file stat tree less more sort uniq cut \
    tr awk gawk diff cmp comm md5sum sha1sum sha256sum shasum cksum basename dirname realpath readlink seq sleep \
    true false test [ [[ jq yq column nl tac rev xxd hexdump od strings base64 lsof ss netstat cd pushd popd \
    export set unset exit return wait read local shift break continue lscpu lsblk nproc arch man info cal bc \
    expr let locale tty who w last dmesg journalctl lsusb lspci ip ifconfig vmstat iostat sw_vers \
    system_profiler dir ver systeminfo tasklist get-childitem get-content get-process get-location get-item \
    select-string measure-object get-service get-date gci gc findstr where fold paste join split_view bat exa \
    eza lsd tokei cloc scc ag ack command_v getent nm objdump ldd size clear tput stty umask ulimit alias \
    declare typeset mapfile numfmt factor tsort shuf expand fmt pr look zless xmllint csvlook csvstat identify \
    exiftool ffprobe mediainfo pdfinfo pdftotext ipcs pstree lsb_release node_version sum b2sum mount sysctl \
    route arp";
const SECRETS: &str = "printenv history security secret-tool pass op bw lpass ssh-add gpg vault sops age keyctl get-credential \
    cmdkey getfacl_secrets";
const WRAPS: &str = "nohup time nice ionice timeout xargs command builtin stdbuf setsid watch env parallel unbuffer caffeinate \
    chronic taskset";
const SHELLS: &str = "sh bash zsh dash ksh fish ash eval pwsh powershell powershell.exe cmd cmd.exe busybox source . exec su sudo \
    doas chroot iex invoke-expression";
const NETWORK: &str = "curl wget http https httpie xh nc ncat netcat socat telnet ssh scp sftp ftp lftp rsync rclone aria2c ping \
    ping6 traceroute tracepath mtr dig nslookup host whois nmap openssl invoke-webrequest iwr invoke-restmethod \
    irm certutil bitsadmin tftp grpcurl websocat wscat masscan croc ngrok cloudflared gsutil";
const DATABASES: &str = "psql mysql mariadb sqlite3 duckdb sqlcmd bq clickhouse-client snowsql cockroach usql mongosh mongo \
    cypher-shell";
const WRITES: &str = "mkdir touch cp mv ln tee install unzip zip gzip gunzip bzip2 xz 7z patch md copy xcopy new-item set-content \
    add-content out-file copy-item move-item mktemp split csplit convert ffmpeg pandoc prettier gofmt rustfmt \
    black iconv dos2unix robocopy mkfifo";
const REMOVES: &str = "rm rmdir unlink shred srm del erase rd remove-item ri wipe wipefs dropdb trash trash-put rimraf \
    clear-content userdel_home lvremove vgremove zpool diskutil vssadmin wbadmin";
const OVERWRITES: &str = "dd mkfs mkfs.ext4 mkfs.xfs mkfs.vfat mkswap fdisk sfdisk parted truncate format format-volume pg_restore \
    mongorestore flashrom hdparm badblocks cryptsetup blkdiscard";
const OPERATES: &str = "kill killall pkill shutdown reboot halt poweroff stop-process taskkill restart-service stop-service \
    start-service renice swapoff umount mount insmod rmmod modprobe init telinit stop-computer restart-computer \
    pm2 supervisorctl wall date_set";
const IDENTIFIES: &str = "passwd useradd adduser usermod userdel deluser groupadd groupmod groupdel chpasswd visudo ssh-keygen \
    ssh-copy-id chmod chown chgrp setfacl chattr htpasswd kinit net icacls takeown dscl gpasswd chage setcap \
    newgrp login new-localuser add-localgroupmember attrib runas";
const GOVERNS: &str = "iptables ip6tables nft ufw firewall-cmd setenforce auditctl portcullis netsh set-executionpolicy \
    set-mppreference spctl csrutil apparmor_parser aa-disable semanage setsebool wevtutil reg";
const SENDS: &str = "mail mailx mutt sendmail msmtp swaks slack telegram-send ntfy wall write lp lpr twine";
const CLOUD: &str = "aws gcloud az gh glab hub heroku vercel netlify flyctl fly doctl helm eksctl stripe linode-cli ibmcloud oci \
    wrangler firebase supabase railway argocd flux istioctl velero minikube kind k3d s3cmd mc";
