-- name: try_lock
select pg_try_advisory_lock(7236503)

-- name: newly_due
select d.referral_id, d.kind, d.generation, r.sender from deadline d
join referral r on r.id = d.referral_id
where d.due_at <= now() and d.sent_at is null and d.barrier is null and not exists (select from rebuilding)
order by d.due_at limit 1000

-- Of the generation that was seen: a later one comes due later, and waits for what is said until then.
-- name: set_barrier
update deadline d set barrier = due.barrier
from unnest($1::uuid[], $2::text[], $3::int[], $4::jsonb[]) as due (referral_id, kind, generation, barrier)
where d.referral_id = due.referral_id and d.kind = due.kind and d.generation = due.generation
    and d.barrier is null and d.sent_at is null

-- name: ready
select d.referral_id, d.kind, d.generation, d.due_at
from deadline d
where d.due_at <= now() and d.sent_at is null and d.barrier is not null and not exists (select from rebuilding)
    and not exists (
        select from jsonb_each_text(d.barrier) b
        left join progress p on p.topic || '/' || p.partition = b.key
        where b.key like '%/%' and coalesce(p.next_offset, 0) < b.value::bigint)
order by d.due_at limit 1000

-- name: sent
update deadline d set sent_at = now()
from unnest($1::uuid[], $2::text[], $3::int[]) as done (referral_id, kind, generation)
where d.referral_id = done.referral_id and d.kind = done.kind and d.generation = done.generation
