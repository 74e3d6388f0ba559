-- An organization's admin manages its people through the API: within the organization, and column by column.

-- Before a caller is known the API looks log-ins up as itself; for a caller it sees the caller's own people alone.
drop policy api_sees on app_user;
create policy api_sees on app_user for select to refex_api
    using (asking_organization() is null or tenant = asking_organization());
create policy api_adds on app_user for insert to refex_api with check (tenant = asking_organization());
create policy api_changes on app_user for update to refex_api
    using (tenant = asking_organization()) with check (tenant = asking_organization());
grant insert (id, tenant, email, name, role, password_hash), update (role, password_hash, active) on app_user
    to refex_api;

-- A reset ends the second step, for the organization that asks and for nobody before a caller is known.
-- Not by a restrictive policy: the owner has the API's privileges and would be restricted with it.
drop policy api_all on second_factor;
create policy api_sees on second_factor for select to refex_api using (true);
create policy api_adds on second_factor for insert to refex_api with check (true);
create policy api_changes on second_factor for update to refex_api using (true) with check (true);
create policy api_ends_own on second_factor for delete to refex_api using (tenant = asking_organization());
grant delete on second_factor to refex_api;

alter table login_link add column invited boolean not null default false;
comment on column login_link.invited is 'an admin had it sent, to somebody added or reset; it holds longer';

-- When somebody last logged in, for whoever looks after the log-ins that nobody uses.
create table last_log_in (
    user_id uuid primary key references app_user (id) on delete cascade,
    tenant text not null references organization (id),
    at timestamptz not null
);
alter table last_log_in enable row level security, force row level security;
create policy owner_all on last_log_in to current_user using (true) with check (true);
create policy api_all on last_log_in to refex_api
    using (asking_organization() is null or tenant = asking_organization())
    with check (asking_organization() is null or tenant = asking_organization());
grant select, insert, update on last_log_in to refex_api;
