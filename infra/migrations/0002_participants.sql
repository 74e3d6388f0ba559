-- Organizations, their people and clients, and what the API itself may write: sessions, tokens, idempotency.
create table organization (
    id text primary key,
    name text not null,
    type text not null check (type in ('clinic', 'mco', 'cbo', 'hub', 'state', 'operator', 'platform')),
    active boolean not null default true,
    kafka_username text unique,
    webhook_url text,
    webhook_secret text,
    created_at timestamptz not null default now()
);

create table client (
    client_id text primary key,
    tenant text not null references organization (id),
    secret_hash text not null,
    scope text not null,
    active boolean not null default true
);

create table app_user (
    id uuid primary key,
    tenant text not null references organization (id),
    email text not null unique,
    name text not null,
    role text not null,
    password_hash text not null,
    active boolean not null default true
);

create table session (
    token_sha256 bytea primary key,
    tenant text not null references organization (id),
    user_id uuid not null references app_user (id),
    csrf text not null,
    created_at timestamptz not null,
    last_seen_at timestamptz not null,
    expires_at timestamptz not null
);

create table access_token (
    token_sha256 bytea primary key,
    tenant text not null references organization (id),
    client_id text not null references client (client_id) on delete cascade,
    scope text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null
);
create index access_token_expires_at on access_token (expires_at);

create table idempotency (
    tenant text not null,
    event_id uuid not null,
    body_sha256 bytea not null,
    created_at timestamptz not null default now(),
    primary key (tenant, event_id)
);
