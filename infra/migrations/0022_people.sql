-- People log in: one address is one person; a session is of one role; links sent by e-mail; codes as a second step.
create unique index app_user_address on app_user (lower(email));

-- A session holds while its person has the role it was begun with. `pending`: the code is still to come.
alter table session add column role text not null default '';
alter table session add column pending boolean not null default false;
update session s set role = u.role from app_user u where u.id = s.user_id;
alter table session alter column role drop default;
create index session_user_id on session (user_id);

-- Somebody asked for a link to log in with. The token is made when the e-mail is written and never stored: its hash is.
-- An unknown address leaves a row too, so that it costs the same.
create table login_link (
    id uuid primary key,
    tenant text not null,
    user_id uuid references app_user (id) on delete cascade,
    language text not null,
    asked_at timestamptz not null,
    attempts int not null default 0,
    next_at timestamptz not null,
    sent_at timestamptz,
    token_sha256 bytea unique,
    expires_at timestamptz,
    used_at timestamptz
);
create index login_link_due on login_link (next_at) where sent_at is null and user_id is not null;
create index login_link_user_id on login_link (user_id);

-- A secret of RFC 6238 that a person's device holds too, and the last step whose code was taken: none is taken twice.
create table second_factor (
    user_id uuid primary key references app_user (id) on delete cascade,
    tenant text not null references organization (id),
    secret bytea not null,
    confirmed_at timestamptz,
    last_step bigint not null default 0
);

do $$
declare
    name text;
begin
    foreach name in array array['login_link', 'second_factor'] loop
        execute format('alter table %I enable row level security, force row level security', name);
        execute format('create policy owner_all on %I to current_user using (true) with check (true)', name);
        -- Before a caller is known the API itself asks, as for sessions.
        execute format('create policy api_all on %I to refex_api using (true) with check (true)', name);
    end loop;
end
$$;
grant select, insert, update, delete on login_link to refex_api;
grant select, insert, update on second_factor to refex_api;
