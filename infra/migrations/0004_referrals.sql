-- Projections of the facts: referral (current state), hop, deadline, delivery, and the streams beside them.
create table referral (
    id uuid primary key,
    tenant text not null,
    sender text not null,
    recipients text[] not null default '{}',
    payer text,
    hub text not null,
    sender_referral_id text not null,
    person_key uuid not null,
    status text not null,
    version int not null,
    domain text not null,
    priority text not null,
    contract text not null,
    reviewed boolean not null default false,
    state jsonb not null,
    sealed bytea not null,
    outcome_sealed bytea not null default '',
    decision jsonb,
    requested_at timestamptz not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    accepted_at timestamptz,
    closed_at timestamptz,
    unique (sender, sender_referral_id)
) with (fillfactor = 80);
create index referral_sender on referral (sender, created_at desc, id);
create index referral_payer on referral (payer, created_at desc, id);
create index referral_recipients on referral using gin (recipients);
create index referral_review on referral (hub, created_at) where status = 'needs-review';

create table hop (
    referral_id uuid not null references referral (id) on delete cascade,
    hop uuid not null,
    number int not null,
    tenant text not null,
    sender text not null,
    recipient text not null,
    payer text,
    service uuid not null,
    status text not null,
    reason text,
    requested_at timestamptz not null,
    due_at timestamptz not null,
    answered_at timestamptz,
    primary key (referral_id, number)
) with (fillfactor = 80);
create unique index hop_held on hop (referral_id) where status in ('accepted', 'in-progress', 'on-hold');
create index hop_recipient on hop (recipient, status);

create table deadline (
    referral_id uuid not null references referral (id) on delete cascade,
    kind text not null,
    generation int not null,
    due_at timestamptz not null,
    lane int not null,
    barrier jsonb,
    sent_at timestamptz,
    primary key (referral_id, kind)
);
create index deadline_due on deadline (due_at) where sent_at is null;

create table delivery (
    id uuid primary key,
    tenant text not null,
    recipient text not null,
    kind text not null,
    stream_id uuid not null,
    version int not null,
    type text not null,
    status text,
    at timestamptz not null,
    attempts int not null default 0,
    next_attempt_at timestamptz not null,
    delivered_at timestamptz,
    failed_at timestamptz,
    last_error text
);
create index delivery_due on delivery (next_attempt_at) where delivered_at is null and failed_at is null;

-- Streams other than referrals: consent, service, coverage, screening; state is the newest fact's data.
create table stream (
    kind text not null,
    id uuid not null,
    tenant text not null,
    version int not null,
    type text not null,
    data jsonb not null,
    sealed bytea not null default '',
    at timestamptz not null,
    primary key (kind, id)
);

create table service (
    id uuid primary key,
    tenant text not null,
    version int not null,
    routing jsonb not null,
    body jsonb not null,
    updated_at timestamptz not null
);

create table directory_version (
    one boolean primary key default true check (one),
    version bigint not null default 0
);
insert into directory_version default values;
