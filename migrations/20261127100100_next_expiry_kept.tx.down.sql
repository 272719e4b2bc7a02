DROP TRIGGER members_end ON members;
