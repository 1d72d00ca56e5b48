/** The door of the adapter: everything that the rest of the house may know of BioTrack. */
