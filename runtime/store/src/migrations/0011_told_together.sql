-- The number up to which what tells the same was, or is to be, told with a notice; 0: it is told alone; NULL: it was never tried.
ALTER TABLE notices ADD COLUMN told_to INTEGER;
