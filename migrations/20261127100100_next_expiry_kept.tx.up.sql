-- From here on no membership ends before its group says that one does, whoever writes it: servers of the version before, and statements
-- by hand. Nothing raises the bound but the sweep, which reckons it anew when it has come: too low a bound is right all the same.
CREATE TRIGGER members_end AFTER INSERT OR UPDATE OF group_id, expires_at ON members
  FOR EACH ROW WHEN (NEW.expires_at IS NOT NULL) EXECUTE FUNCTION member_ends();
