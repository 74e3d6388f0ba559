-- A session holds while its person may do what they could, by the password they had, when the log-in began. Whatever
-- changes one of these, by the API or by hand, ends the log-ins of before it, also one whose password is being checked.
alter table app_user add column generation int not null default 0;
alter table session add column generation int not null default 0;
delete from session s using app_user u where u.id = s.user_id and u.role <> s.role;
alter table session drop column role, alter column generation drop default;

create function begin_log_ins_anew() returns trigger language plpgsql as $$
begin
    new.generation := old.generation + 1;
    return new;
end
$$;
create trigger log_ins_of_now before update of role, password_hash, active on app_user
    for each row when (
        (old.role, old.password_hash, old.active) is distinct from (new.role, new.password_hash, new.active))
    execute function begin_log_ins_anew();

create or replace view may_log_in with (security_invoker = true) as
    select u.id, u.tenant, u.email, u.role, u.password_hash, o.type, has_second_step(u.id) as second_step, u.generation
    from app_user u join organization o on o.id = u.tenant
    where u.active and o.active;
