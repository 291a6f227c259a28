/** What validators are asked, shown with every task. */
export const RUBRIC = [
  'Compare the two answers to the same request, one question at a time; a tie is an answer too.',
  'Function: which answer is right and does what was asked?',
  'Logic: which answer follows from the request and contradicts neither it nor itself?',
  'Ethics: which answer is more careful of the people concerned, for instance by saying when something changes data or permissions?',
].join('\n')
